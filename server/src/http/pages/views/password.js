// Changing the password: a form for the new one, typed once, with a button that shows it. What was typed stays until it is changed.

import { onSubmit } from '../form.js';
import { changePassword } from '../sensitive.js';

export function startPassword(application) {
  onSubmit(document.getElementById('password-form'), ({ newPassword }) =>
    application.confirmations.carryOut(changePassword(application.user, newPassword)),
  );
}
