// The library. `phone.ts` is not part of it: it exists only where there is a sandbox.

export { Client, type ClientOptions } from "./client.js";
export { assertAccepted, ClientError, Refused, type GraphqlError, type Problem, type Refusal } from "./error.js";
export type {
  ChangePasswordErrorCode,
  CodeChannel,
  ConfirmErrorCode,
  EndOtherSessionsErrorCode,
  EndSessionErrorCode,
  LoginErrorCode,
  LoginFailure,
  LoginInput,
  LoginPurpose,
  LoginState,
  LoginStep,
  ResendTokenErrorCode,
  SensitiveOperation,
  SignupErrorCode,
  SignupInput,
  VerifyTokenErrorCode,
} from "./generated/operations.js";
export {
  accepted,
  bearerOf,
  begun,
  isOver,
  outcomeOf,
  type Begun,
  type LoginReply,
  type LoginStatus,
  type Outcome,
  type ResendTokenReply,
  type Session,
  type SignupReply,
  type User,
  type VerifyTokenReply,
} from "./login.js";
export type {
  ActiveSession,
  ChangePasswordReply,
  ConfirmReply,
  EndOtherSessionsReply,
  EndSessionReply,
} from "./session.js";
