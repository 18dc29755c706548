// The operations of these pages. None asks for `Session.token`: it lives in a cookie, and no script sees it.

const STATUS = `
  sequence state nextStep purpose failure matchNumber codeChannel toldAt expiresAt resendAvailableAt
  session { deviceToken user { id fullName email countryCode maskedPhone createdAt } }
`;
const ERROR = 'code message field retryAfterSeconds';

export const ME = `{
  me {
    id fullName email countryCode maskedPhone createdAt
    sessions { id isCurrent browser network createdAt lastUsedAt }
  }
}`;

export const SIGNUP = `mutation Signup($input: SignupInput!) {
  signup(input: $input) { loginToken status { ${STATUS} } errors { ${ERROR} } }
}`;

export const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { loginToken status { ${STATUS} } errors { ${ERROR} } }
}`;

export const READ_LOGIN = `query ReadLogin($loginToken: String!) {
  loginStatus(loginToken: $loginToken) { ${STATUS} }
}`;

export const WATCH_LOGIN = `subscription WatchLogin($loginToken: String!) {
  loginStatus(loginToken: $loginToken) { ${STATUS} }
}`;

export const VERIFY_TOKEN = `mutation VerifyToken($input: VerifyTokenInput!) {
  verifyToken(input: $input) { status { ${STATUS} } errors { ${ERROR} triesLeft } }
}`;

export const RESEND_TOKEN = `mutation ResendToken($input: ResendTokenInput!) {
  resendToken(input: $input) { status { ${STATUS} } errors { ${ERROR} } }
}`;

export const CANCEL_LOGIN = `mutation CancelLogin($input: CancelLoginInput!) {
  cancelLogin(input: $input) { status { ${STATUS} } }
}`;

export const LOGOUT = 'mutation Logout { logout { loggedOut } }';

export const FORGET_DEVICES = 'mutation ForgetDevices { forgetDevices { forgotten } }';

export const CONFIRM = `mutation Confirm($input: ConfirmInput!) {
  confirm(input: $input) { loginToken status { ${STATUS} } errors { ${ERROR} } }
}`;

export const CHANGE_PASSWORD = `mutation ChangePassword($input: ChangePasswordInput!) {
  changePassword(input: $input) { endedSessions errors { ${ERROR} } }
}`;

export const END_SESSION = `mutation EndSession($input: EndSessionInput!) {
  endSession(input: $input) { isEnded errors { ${ERROR} } }
}`;

export const END_OTHER_SESSIONS = `mutation EndOtherSessions($input: EndOtherSessionsInput) {
  endOtherSessions(input: $input) { endedSessions errors { ${ERROR} } }
}`;
