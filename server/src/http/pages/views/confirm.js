// Confirming a sensitive operation: asks for the password. The phone is asked next, in the views of a login.

import { alert, clear, onSubmit } from '../form.js';
import { view } from '../views.js';

const form = view('confirm').querySelector('form');

export function startConfirm(application) {
  onSubmit(form, ({ password }) => {
    const operation = application.confirmations.operation.name;
    return application.begin('confirm', { operation, password }, form);
  });
}

// Shows which operation is to be confirmed.
export function showConfirm(operation) {
  document.getElementById('confirm-lead').textContent = operation.lead;
  const isChange = operation.name === 'CHANGE_PASSWORD';
  document.getElementById('confirm-label').textContent = isChange ? 'Your current password' : 'Your password';
}

// Empties the form, and says why the person is asked again.
export function resetConfirm(message) {
  form.reset();
  clear(form);
  alert(form, message);
}
