// Questions to the Python side. Whatever happens, the answer is a value or {error: sentence}.

export const NO_ANSWER = "The server did not answer. Look at the connection, then try again.";

export class Server {
  /** `functions` are the server functions of the page, `upload` stores a File and gives {path}. */
  constructor(functions, upload) {
    this.functions = functions;
    this.upload = upload;
  }

  /** Where the file lies on the server. Rejects where it cannot be sent. */
  async store(file) {
    return (await this.upload(file)).path;
  }

  /**
   * The reply to a question, about a picture {file, name, path} or none.
   * A picture that the server has cleared away in the meantime is sent again, once.
   */
  async ask(name, question, picture = null) {
    const about = () => (picture ? { ...question, path: picture.path, name: picture.name } : question);
    try {
      const reply = await this.functions[name](about());
      if (!reply?.gone || !picture) return reply ?? { error: NO_ANSWER };
      picture.path = await this.store(picture.file);
      return await this.functions[name](about());
    } catch {
      return { error: NO_ANSWER };
    }
  }
}
