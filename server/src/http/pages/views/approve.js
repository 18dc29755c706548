// Waiting for the phone: the number to compare, and the time that is left.

import { every } from './seconds.js';

const LEADS = {
  SIGNUP: 'We have sent a request to your phone, to prove that it is yours. Approve it if it shows this number:',
  LOGIN: 'We have sent a request to your phone. Approve it if it shows this number:',
  CONFIRM: 'We have sent a request to your phone, to confirm that it is you. Approve it if it shows this number:',
};

export function startApprove(application) {
  const left = document.getElementById('approve-left');
  every(1, () => {
    const { login } = application;
    if (login?.waitsForPhone) {
      left.textContent = clock(login.millisecondsUntil('expiresAt'));
    }
  });
}

// Shows how the login stands.
export function showApprove(login) {
  document.getElementById('match-number').value = login.status.matchNumber ?? '';
  document.getElementById('approve-lead').textContent = LEADS[login.status.purpose] ?? LEADS.LOGIN;
  document.getElementById('approve-deny').textContent = login.isConfirmation
    ? 'Another number on your phone? Then somebody else sent that request: deny it. If you deny your own, you are logged out here.'
    : 'Another number on your phone? Then it is somebody else’s login: deny it.';
  document.getElementById('approve-left').textContent = clock(login.millisecondsUntil('expiresAt'));
}

function clock(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
