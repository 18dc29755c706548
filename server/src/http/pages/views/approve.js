// Waiting for the phone: the number to compare, and the time that is left.

import { every } from './seconds.js';

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
  document.getElementById('approve-lead').textContent =
    login.status.purpose === 'SIGNUP'
      ? 'We have sent a request to your phone, to prove that it is yours. Approve it if it shows this number:'
      : 'We have sent a request to your phone. Approve it if it shows this number:';
  document.getElementById('approve-left').textContent = clock(login.millisecondsUntil('expiresAt'));
}

function clock(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
