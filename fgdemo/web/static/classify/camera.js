// Taking a photograph with the camera of this device.

import { h } from "../shared/dom.js";

/** Fills an open dialog; resolves to a File, or null where the person gives up. Rejects where there is no camera to use. */
export async function takePhoto(dialog) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
  });
  if (!dialog.open) {
    stop(stream); // closed before the browser had asked whether the camera may be used
    return null;
  }
  const video = h("video", { autoplay: true, playsinline: true, muted: true });
  video.srcObject = stream;
  return new Promise((resolve) => {
    const shoot = () => {
      const canvas = h("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(video, 0, 0);
      canvas.toBlob((blob) => finish(blob && new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.94);
    };
    const finish = (file) => {
      stop(stream);
      dialog.onclose = null;
      if (dialog.open) dialog.close();
      resolve(file);
    };
    dialog.onclose = () => finish(null);
    const take = h("button", { type: "button", class: "fg-button fg-primary", onclick: shoot }, "Take the photograph");
    dialog.replaceChildren(
      video,
      h(
        "p",
        { class: "fg-form-actions" },
        h("button", { type: "button", class: "fg-button", onclick: () => finish(null) }, "Cancel"),
        take,
      ),
    );
    take.focus();
  });
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
