export { registerCare } from './formation/register-care.ts';
export type { RegisterCare, RegisterView, RestoredRegister } from './formation/register-care.ts';
