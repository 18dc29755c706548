// Logging in: a form.

import { deviceToken } from '../devices.js';
import { onSubmit } from '../form.js';

export function startLogIn(application) {
  const form = document.getElementById('login-form');
  onSubmit(form, (input) => {
    const known = deviceToken(input.email);
    return application.begin('login', known ? { ...input, deviceToken: known } : input, form);
  });
}
