// Which of the views is shown. A view is a section of index.html; whoever shows another one moves the focus to its
// heading, so that it is read out.

const TITLES = {
  home: 'Countersign',
  signup: 'Sign up',
  login: 'Log in',
  approve: 'Approve on your phone',
  verify: 'Type the code',
  account: 'Your account',
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

// The section of a view.
export function view(name) {
  return document.querySelector(`[data-view="${name}"]`);
}

// Shows what is for people who are signed in, or what is for those who are not; and which link leads to here.
export function mark(isSignedIn) {
  for (const element of document.querySelectorAll('[data-when]')) {
    element.hidden = (element.dataset.when === 'signed-in') !== isSignedIn;
  }
  for (const link of document.querySelectorAll('nav [data-link]')) {
    if (link.pathname === location.pathname) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  }
}
