/** What a build with a deliberate bug runs: worlds on demand, and nothing else. */
import { serveTasks } from '../worker.ts';

serveTasks();
