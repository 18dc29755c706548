// Which of the views is shown. A view is a section of index.html; whoever shows another one moves the focus to its
// heading, so that it is read out.

const TITLES = {
  home: 'Countersign',
  signup: 'Sign up',
  login: 'Log in',
  approve: 'Approve on your phone',
  verify: 'Type the code',
  account: 'Your account',
  password: 'Change your password',
  confirm: 'Confirm it’s you',
};

let shown = null;

// Shows a view.
export function show(name) {
  if (name === shown) {
    return;
  }
  for (const section of document.querySelectorAll('[data-view]')) {
    section.hidden = section.dataset.view !== name;
  }
  document.title = name === 'home' ? TITLES.home : `${TITLES[name]} · Countersign`;
  const isFirst = shown === null;
  shown = name;
  scrollTo(0, 0);
  if (!isFirst) {
    view(name).querySelector('h1').focus();
  }
}

// Whether a view is shown.
export function isShown(name) {
  return name === shown;
}

// The section of a view.
export function view(name) {
  return document.querySelector(`[data-view="${name}"]`);
}

// Shows what is for people who are signed in, or what is for those who are not; and which link leads to here. Password managers
// read from the hidden fields whose password a form is about.
export function mark(user) {
  for (const element of document.querySelectorAll('[data-when]')) {
    element.hidden = (element.dataset.when === 'signed-in') !== (user !== null);
  }
  for (const field of document.querySelectorAll('[data-username]')) {
    field.value = user?.email ?? '';
  }
  for (const link of document.querySelectorAll('nav [data-link]')) {
    if (link.pathname === location.pathname) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  }
}
