/** A certificate and its key, as files that somebody else renews. */
import { createSecureContext } from 'node:tls';
import { readFile } from 'node:fs/promises';

export type CertificateFiles = {
  /** PEM: the certificate, and behind it those of its issuers. */
  readonly certFile: string;
  /** PEM. */
  readonly keyFile: string;
};

/** What listeners use for TLS; one may serve several of them. */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #listeners = new Set<() => void>();
  #pem: { readonly cert: string; readonly key: string };

  private constructor(files: CertificateFiles, pem: Certificate['pem']) {
    this.#files = files;
    this.#pem = pem;
  }

  /** Rejects with `TypeError` for files that cannot be read, or that are not a pair. */
  static async read(files: CertificateFiles): Promise<Certificate> {
    return new Certificate(files, await readPair(files));
  }

  get pem(): { readonly cert: string; readonly key: string } {
    return this.#pem;
  }

  /**
   * Reads the files again; new connections get what they hold, others go on. Rejects as `read` does,
   * and the certificate of before stays in use.
   */
  async reload(): Promise<void> {
    this.#pem = await readPair(this.#files);
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after each renewal, until the function that it returns is called. */
  onRenewed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** See `Certificate.read`. */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  return Certificate.read(files);
}

async function readPair({ certFile, keyFile }: CertificateFiles): Promise<Certificate['pem']> {
  const [cert, key] = await Promise.all([readText(certFile), readText(keyFile)]);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    throw new TypeError(
      `Cannot use ${certFile} with ${keyFile}: ${wordsOf(cause)}, wanted a certificate and its key, as PEM`,
      { cause },
    );
  }
  return { cert, key };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TypeError(`Cannot read ${file}: ${wordsOf(cause)}, wanted a file of PEM`, { cause });
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
