// AVIF and HEIC as JPEG before they are sent, where this browser can show them: not every server reads them.

const MAYBE = /\.(avif|heic|heif|hif)$/i;
const KINDS = /^image\/(avif|hei[cf])/;
const QUALITY = 0.95;
const GROUND = "rgb(128, 128, 128)"; // under transparent places, as on the server

/** The file, or the same picture upright, in sRGB, as a JPEG of the same name. @param {File} file */
export async function readable(file) {
  if (!MAYBE.test(file.name) && !KINDS.test(file.type)) return file;
  try {
    const shown = await createImageBitmap(file);
    const canvas = Object.assign(document.createElement("canvas"), { width: shown.width, height: shown.height });
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = GROUND;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(shown, 0, 0);
    shown.close();
    /** @type {Blob | null} */
    const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return jpeg ? new File([jpeg], file.name, { type: "image/jpeg" }) : file;
  } catch {
    return file; // the server says what can be done
  }
}
