// Elements, made by hand: what strangers wrote becomes text and never markup.

// An element with attributes and children; an attribute that is null or false is left out.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) {
      made.setAttribute(attribute, value === true ? '' : value);
    }
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Shows items as children of a list, each under its key: those that stay keep their element, and with it the focus.
export function showAll(list, items, keyOf, make, update = () => {}) {
  const present = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const kept = present.get(key);
    const made = kept ?? make(item);
    made.dataset.key = key;
    update(made, item);
    present.delete(key);
    return made;
  });
  present.forEach((gone) => gone.remove());
  wanted.forEach((child, place) => {
    if (list.children[place] !== child) {
      list.insertBefore(child, list.children[place] ?? null);
    }
  });
}

// Copies a text, and says so on the element for a moment.
export async function copy(text, element) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  element.classList.add('copied');
  setTimeout(() => element.classList.remove('copied'), 1_200);
}

export const byId = (id) => document.getElementById(id);
