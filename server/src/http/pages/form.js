// Forms: sending once at a time, and telling what is wrong where it is wrong. Fields are found by their names.

import { Fault } from './service.js';

// Calls `act(values)` when the form is sent; it gives the service's errors. What was typed stays.
export function onSubmit(form, act) {
  const button = form.querySelector('[type="submit"]');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.getAttribute('aria-disabled') === 'true') {
      return;
    }
    clear(form);
    if (!fillIn(form)) {
      return;
    }
    button.setAttribute('aria-disabled', 'true');
    try {
      show(form, await act(Object.fromEntries(new FormData(form))));
    } catch (fault) {
      alert(form, messageOf(fault));
    } finally {
      button.removeAttribute('aria-disabled');
    }
  });
}

// A message that may be shown; what is no Fault is a mistake of these pages.
export function messageOf(fault) {
  if (!(fault instanceof Fault)) {
    console.error(fault);
  }
  return fault instanceof Fault ? fault.message : 'Something went wrong in this page. Please reload it.';
}

// Only that nothing is missing: whether it is right, the service knows.
function fillIn(form) {
  const empty = [...form.elements].filter((field) => field.required && field.value.trim() === '');
  for (const field of empty) {
    fault(field, 'Please fill this in.');
  }
  empty[0]?.focus();
  return empty.length === 0;
}

// Shows the errors of a payload, at their fields or above the form. A view without a form has no fields.
export function show(form, errors) {
  const at = (error) => error.field && form.elements?.[error.field.replace(/^input\./, '')];
  for (const error of errors.filter(at)) {
    fault(at(error), sentence(error));
  }
  const others = errors.filter((error) => !at(error));
  if (others.length > 0) {
    alert(form, others.map(sentence).join(' '));
  }
  errors.map(at).find(Boolean)?.focus();
}

function sentence({ message, retryAfterSeconds, triesLeft }) {
  const wait = retryAfterSeconds ? ` Try again in ${duration(retryAfterSeconds)}.` : '';
  const tries = typeof triesLeft === 'number' && triesLeft > 0 ? ` ${plural(triesLeft, 'try', 'tries')} left.` : '';
  return `${message}${wait}${tries}`;
}

// A duration for people: `40 seconds`, `3 minutes`.
export function duration(seconds) {
  if (seconds < 120) {
    return plural(Math.max(1, Math.ceil(seconds)), 'second', 'seconds');
  }
  return seconds < 7_200 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3_600)} hours`;
}

// A number with its noun: `1 try`, `2 tries`.
export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}

export function alert(container, message) {
  const place = container.querySelector('[data-alert]');
  place.textContent = message;
  place.hidden = !message;
}

export function clear(form) {
  alert(form, '');
  for (const field of form.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid');
    describe(field, (ids) => ids.filter((id) => id !== faultId(field)));
    document.getElementById(faultId(field)).remove();
  }
}

function fault(field, message) {
  const place = document.createElement('p');
  place.className = 'fault';
  place.id = faultId(field);
  place.textContent = message;
  field.closest('.field').append(place);
  field.setAttribute('aria-invalid', 'true');
  describe(field, (ids) => [...ids, place.id]);
}

const faultId = (field) => `${field.id}-fault`;

function describe(field, change) {
  const ids = change((field.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean));
  if (ids.length > 0) {
    field.setAttribute('aria-describedby', ids.join(' '));
  } else {
    field.removeAttribute('aria-describedby');
  }
}

// Lets people look at the password that they type.
for (const button of document.querySelectorAll('[data-reveal]')) {
  const field = button.parentElement.querySelector('input');
  const show = (isShown) => {
    field.type = isShown ? 'text' : 'password';
    button.textContent = isShown ? 'Hide' : 'Show';
    button.setAttribute('aria-pressed', String(isShown));
  };
  button.addEventListener('click', () => show(field.type === 'password'));
  field.form.addEventListener('reset', () => show(false));
}
