// What goes wrong. On the way to the service and back: a `ClientError`, whose problem a program can switch on. What the
// service refuses is data in each reply, and becomes a `Refused` only where a caller asks for that. No text here repeats
// an answer's content, which may well be a secret.

/** What became of a call or a watch instead of an answer. */
export type Problem =
  /** The service's address is none. */
  | { readonly kind: "address" }
  /** Nothing answers, or the connection was lost; a watch: for as long as the client has patience. */
  | { readonly kind: "unreachable" }
  /** No whole answer came in time. Whether the request had its effect is unknown. */
  | { readonly kind: "timeout" }
  /** An answer that is not the expected one, with this HTTP status. */
  | { readonly kind: "status"; readonly status: number }
  /** An answer that does not fit the schema. */
  | { readonly kind: "malformed" }
  /** The request was wrong or not allowed, or the service has a fault. */
  | { readonly kind: "graphql"; readonly errors: readonly GraphqlError[] }
  /** A watch: the service knows no such login, or no longer. */
  | { readonly kind: "loginNotFound" }
  /** A watch: the session that it asks with has ended. */
  | { readonly kind: "sessionEnded" }
  /** A watch: the service closed the connection for good, with this code. */
  | { readonly kind: "closed"; readonly code: number }
  /** A session without a token: the service keeps its sessions in cookies, which only browsers do. */
  | { readonly kind: "noToken" };

/** One entry of an answer's `errors`. */
export interface GraphqlError {
  readonly message: string;
  readonly extensions?: {
    /** What a program acts on. */
    readonly code?: string;
    /** What to tell whoever runs the service. */
    readonly requestId?: string;
  };
}

/** Why there is no answer that can be used. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly problem: Problem;

  constructor(problem: Problem, options?: ErrorOptions) {
    super(describe(problem), options);
    this.problem = problem;
  }
}

function describe(problem: Problem): string {
  switch (problem.kind) {
    case "address":
      return "the address is no URL such as http://127.0.0.1:3000";
    case "unreachable":
      return "the service cannot be reached";
    case "timeout":
      return "the service did not answer in time";
    case "status":
      return `the service answered with HTTP status ${problem.status}`;
    case "malformed":
      return "the service's answer does not fit the schema";
    case "graphql":
      return problem.errors.map(describeGraphqlError).join("; ");
    case "loginNotFound":
      return "there is no such login, or no longer";
    case "sessionEnded":
      return "the session has ended";
    case "closed":
      return `the service closed the connection for good, with code ${problem.code}`;
    case "noToken":
      return "the session has no token: the service keeps sessions in cookies (SESSION_TRANSPORT), for browsers";
  }
}

function describeGraphqlError({ message, extensions }: GraphqlError): string {
  const code = extensions?.code === undefined ? "" : ` [${extensions.code}]`;
  const request = extensions?.requestId === undefined ? "" : ` (request ${extensions.requestId})`;
  return message + code + request;
}

/** One thing that a mutation refused. */
export interface Refusal {
  readonly code: string;
  /** What a person reads. */
  readonly message: string;
  /** The input it is about, as a path such as `input.email`. */
  readonly field: string | null;
  readonly retryAfterSeconds: number | null;
  /** How many codes the login will still have judged; told by `verifyToken` alone. */
  readonly triesLeft?: number | null;
}

/** Throws `Refused` if a mutation was refused. */
export function assertAccepted(reply: { readonly errors: readonly Refusal[] }): void {
  if (reply.errors.length > 0) {
    throw new Refused(reply.errors);
  }
}

/** A mutation that the service refused, with everything that it said about it. */
export class Refused<Item extends Refusal> extends Error {
  override readonly name = "Refused";
  readonly errors: readonly Item[];

  constructor(errors: readonly Item[]) {
    super(errors.map(describeRefusal).join("; ") || "refused without a reason");
    this.errors = errors;
  }
}

function describeRefusal({ message, code, field }: Refusal): string {
  return `${message} [${code}]${field === null ? "" : `, in ${field}`}`;
}
