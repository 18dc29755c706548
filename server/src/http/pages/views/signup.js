// Signing up: a form, with a country picker beside the phone.

import { countries, likelyRegion } from '../countries.js';
import { onSubmit } from '../form.js';

export function startSignup(application) {
  const form = document.getElementById('signup-form');
  const picker = form.elements.countryCode;
  const prefix = document.getElementById('calling-code');
  const language = document.documentElement.lang;
  const likely = likelyRegion(navigator.languages);
  for (const { region, code, name } of countries(language)) {
    const option = new Option(`${name} (+${code})`, code, region === likely, region === likely);
    picker.add(option);
  }
  const showPrefix = () => (prefix.textContent = `+${picker.value}`);
  picker.addEventListener('change', showPrefix);
  showPrefix();
  onSubmit(form, (input) => application.begin('signup', input, form));
}
