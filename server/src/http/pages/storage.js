// What this browser keeps for these pages: sessionStorage for a window, localStorage beyond it. Where the browser blocks them or
// they are full, the page keeps it in memory instead: a login works as ever, until the page is left.

// Whether something could not be stored: then a reload forgets it.
let isInMemory = false;
let onFallback = () => {};

// Calls back once something cannot be stored, now or later.
export function whenInMemory(tell) {
  onFallback = tell;
  if (isInMemory) {
    tell();
  }
}

export const windowStorage = stored(() => sessionStorage);
export const browserStorage = stored(() => localStorage);

// A store that never fails. `open` gives the browser's, which may throw: reading the property alone does so where it is blocked.
function stored(open) {
  const memory = new Map();
  const attempt = (use) => {
    try {
      return use(open());
    } catch {
      return undefined;
    }
  };
  return {
    get(key) {
      return memory.get(key) ?? attempt((store) => store.getItem(key)) ?? null;
    },
    set(key, value) {
      const isStored = attempt((store) => {
        store.setItem(key, value);
        return store.getItem(key) === value;
      });
      if (isStored) {
        memory.delete(key);
      } else {
        // An older value must not come back after a reload.
        attempt((store) => store.removeItem(key));
        memory.set(key, value);
        isInMemory = true;
        onFallback();
      }
    },
    remove(key) {
      memory.delete(key);
      attempt((store) => store.removeItem(key));
    },
  };
}
