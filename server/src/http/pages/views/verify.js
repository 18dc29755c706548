// Typing a code: why one is wanted, where it is found, and asking for another.

import { alert, clear, duration, messageOf, onSubmit, show } from '../form.js';
import { every } from './seconds.js';

const form = document.getElementById('verify-form');
const resendStatus = document.getElementById('resend-status');
const resendButtons = document.querySelectorAll('[data-resend]');
const FOUND = {
  SMS: 'We have sent you a text message with a code.',
  VOICE: 'We are calling you, to tell you a code.',
  APP: 'Open your authenticator app, and type the code that it shows.',
};

export function startVerify(application) {
  onSubmit(form, async ({ code }) => {
    const errors = await application.login.verify(code);
    form.elements.code.select();
    return errors;
  });
  for (const button of resendButtons) {
    button.addEventListener('click', () => resend(application.login, button));
  }
  every(1, () => application.login?.status && showResend(application.login));
}

// Shows how the login stands; what was typed stays.
export function showVerify(login) {
  const { codeChannel } = login.status;
  const reason = document.getElementById('verify-reason');
  reason.textContent = reasonOf(login);
  reason.hidden = reason.textContent === '';
  document.getElementById('verify-lead').textContent = FOUND[codeChannel] ?? unasked(login);
  const back = document.querySelector('[data-back-to-approve]');
  back.hidden = !login.waitsForPhone;
  back.href = login.isConfirmation ? '/confirm' : '/login';
  showResend(login);
}

// After a denial no code is taken before another was asked for, that of an app included.
function unasked({ status: { state } }) {
  return state === 'DENIED'
    ? 'Ask for a code below.'
    : 'Ask for a code below, or type the one that your authenticator app shows.';
}

// A login begins with nothing typed and nothing wrong, except what its beginning brought.
export function resetVerify(errors) {
  form.reset();
  clear(form);
  show(form, errors);
}

function reasonOf({ status: { state, matchNumber, nextStep } }) {
  if (state === 'DENIED') {
    return 'You denied this login on your phone. If it was you after all, ask for a new code and type it.';
  }
  const hasNoPush = nextStep === 'ENTER_CODE' && matchNumber === null;
  return hasNoPush ? 'This phone cannot approve by a tap just now, so a code it is.' : '';
}

async function resend(login, button) {
  if (button.getAttribute('aria-disabled') === 'true') {
    return;
  }
  clear(form);
  setDisabled(true);
  try {
    show(form, await login.resend(button.dataset.resend));
    form.elements.code.focus();
  } catch (fault) {
    alert(form, messageOf(fault));
  }
  showResend(login);
}

function showResend(login) {
  if (login.isOver) {
    return;
  }
  const seconds = login.millisecondsUntil('resendAvailableAt') / 1_000;
  const text = seconds > 0 ? `Another code can be sent in ${duration(seconds)}.` : 'No code? Ask for one:';
  if (resendStatus.textContent !== text) {
    resendStatus.textContent = text;
  }
  setDisabled(seconds > 0);
}

function setDisabled(isDisabled) {
  for (const button of resendButtons) {
    button.setAttribute('aria-disabled', String(isDisabled));
  }
}
