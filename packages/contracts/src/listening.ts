/** What a listener is told of those who may connect, looked at where it enters. */
import { list } from './options.ts';
import type { Kind, Kinds } from './options.ts';

/** An address of the network, or a range of them. */
const addressRange: Kind = {
  wanted: 'an IP address or a range such as 10.0.0.0/8',
  fits: (value) => {
    const [ip = '', bits, ...rest] = typeof value === 'string' ? value.split('/') : [];
    const longest = isIpv4(ip) ? 32 : isIpv6(ip) ? 128 : -1;
    const isLength = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest);
    return longest > 0 && isLength && rest.length === 0;
  },
};

/** Where pages come from, as browsers say it. */
const origin: Kind = {
  wanted: 'an origin such as https://app.example.com',
  fits: (value) =>
    typeof value === 'string' &&
    /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+\/?$/i.test(value) &&
    URL.canParse(value),
};

/** Known by what listeners do with it: pages look at options, too, and have no certificates. */
const certificate: Kind = {
  wanted: 'what readCertificate() resolves with',
  fits: (value) => typeof (value as { reload?: unknown } | null)?.reload === 'function',
};

/** What `takeOptions` is to be told of the options of listeners. */
export const listeningKinds: Kinds = {
  trustedProxies: list(addressRange),
  origins: list(origin),
  certificate,
};

function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

function isIpv6(text: string): boolean {
  return text.includes(':') && /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}
