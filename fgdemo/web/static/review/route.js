// Where on the Review page one is, as an address: #review?view=pair&a=…&b=…. Every view can be linked to.

export const VIEWS = { pictures: "Pictures", confusions: "Confusions", kinds: "Kinds", annotators: "Annotators" };
const ALL = ["pictures", "confusions", "kinds", "kind", "pair", "annotators"];
const DEFAULTS = { state: "unchecked", sort: "suspicion" };
const FILTERS = ["given", "suggested", "state", "split", "annotator", "imported", "sort"];

/** The route of an address; what is left out has its default, and a view that nobody knows is that of the pictures. */
export function routeOf(hash) {
  const asked = Object.fromEntries(new URLSearchParams(hash.split("?")[1] ?? ""));
  const view = ALL.includes(asked.view) ? asked.view : "pictures";
  return view === "pictures" ? { ...DEFAULTS, ...asked, view } : { ...asked, view };
}

/** The address of a route. */
export function linkTo(route) {
  const view = route.view ?? "pictures";
  const said = Object.entries(route).filter(
    ([name, value]) => name !== "view" && value && !(view === "pictures" && DEFAULTS[name] === value),
  );
  const query = new URLSearchParams([...(view === "pictures" ? [] : [["view", view]]), ...said]).toString();
  return query ? `#review?${query}` : "#review";
}

/** What of a route chooses pictures, as the server is asked. */
export function filterOf(route) {
  return Object.fromEntries(FILTERS.filter((name) => route[name]).map((name) => [name, route[name]]));
}

export function go(route) {
  location.hash = linkTo(route);
}
