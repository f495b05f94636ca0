/** What our pages tell each other through the document. */
interface DocumentEventMap {
  "fg-page": CustomEvent<string>;
  "fg-picture": CustomEvent<File>;
  "fg-trouble": CustomEvent<string | null>;
}
interface Window {
  __gradio_mode__?: string;
}
