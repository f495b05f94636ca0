// Where on the Train page one is, as an address: #train, #train/model-3, #train/compare/model-2/model-3, each with
// ?picture=… where one picture is looked at closely.

/** {view: "home"} or {view: "model", b} or {view: "compare", a, b}; and `picture`, an image id or null. */
export function routeOf(hash) {
  const [path, query = ""] = hash.split("?");
  const [first, ...rest] = path.split("/").slice(1).map(decodeURIComponent);
  const picture = new URLSearchParams(query).get("picture");
  if (first === "compare" && rest.length === 2) return { view: "compare", a: rest[0], b: rest[1], picture };
  return first ? { view: "model", b: first, picture } : { view: "home", picture: null };
}

/**
 * The address of a route.
 *
 * @param {{view: string, a?: string, b?: string, picture?: string | null}} route
 */
export function linkTo({ view, a, b, picture }) {
  const path = view === "compare" ? ["compare", a, b] : view === "model" ? [b] : [];
  return ["#train", ...path.map((one) => encodeURIComponent(one ?? ""))].join("/") + (picture ? `?picture=${picture}` : "");
}

/** The model that an address names, by its whole version or, where that says which, by its name. */
export function modelOf(models, named) {
  const called = models.filter((model) => shortName(model.version) === named);
  return models.find((model) => model.version === named) ?? (called.length === 1 ? called[0] : null);
}

/** "model-3@1a2b3c4d" → "model-3". */
export function shortName(version) {
  return version.split("@")[0];
}

/** How an address should name a model: shortly, unless two have the name. */
export function addressOf(models, version) {
  return modelOf(models, shortName(version)) ? shortName(version) : version;
}
