// The sessions of a user, and the sensitive operations: what the client returns for each, by short names. A sensitive operation needs
// the login token of a confirmation (`confirm`); without it the service returns `CONFIRMATION_REQUIRED` and changes nothing.

import type {
  ActiveSessionFieldsFragment,
  ChangePasswordMutation,
  ConfirmMutation,
  EndOtherSessionsMutation,
  EndSessionMutation,
} from "./generated/operations.js";

export type ActiveSession = ActiveSessionFieldsFragment;
export type ConfirmReply = ConfirmMutation["confirm"];
export type ChangePasswordReply = ChangePasswordMutation["changePassword"];
export type EndSessionReply = EndSessionMutation["endSession"];
export type EndOtherSessionsReply = EndOtherSessionsMutation["endOtherSessions"];
