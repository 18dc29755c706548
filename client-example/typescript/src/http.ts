// One HTTP request and the whole of its answer, in time or not at all. Redirects are not followed: they would carry
// passwords to wherever they point.

import { ClientError } from "./error.js";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A base address such as `http://127.0.0.1:3000`, to which paths are appended. */
export function parseAddress(text: string): URL {
  let address: URL;
  try {
    address = new URL(text);
  } catch {
    throw new ClientError({ kind: "address" });
  }
  if (!/^https?:$/.test(address.protocol) || address.username !== "" || address.password !== "") {
    throw new ClientError({ kind: "address" });
  }
  address.search = "";
  address.hash = "";
  address.pathname = address.pathname.replace(/\/*$/, "/");
  return address;
}

export async function request(url: URL, init: RequestInit, timeout: number): Promise<Answer> {
  const signal = AbortSignal.timeout(timeout);
  try {
    const response = await fetch(url, { ...init, redirect: "error", signal });
    const contentType = response.headers.get("content-type") ?? "";
    return { status: response.status, contentType, body: await response.text() };
  } catch (cause) {
    throw new ClientError({ kind: signal.aborted ? "timeout" : "unreachable" }, { cause });
  }
}

/** The JSON of a text; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
