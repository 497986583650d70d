import { now } from "./native.js";

/** The tokens of active calls. */
const tokens = new Set();

// When Node exits it waits for the threads of its pool, so their calls must end soon.
process.on("exit", () => tokens.forEach((token) => now.cancel_trigger(token)));

/** Makes a tinyci_cancel for one call, which `signal` can abort. */
export async function withCancel(signal, call) {
  signal?.throwIfAborted();
  const token = now.cancel_new();
  const stop = () => now.cancel_trigger(token);
  signal?.addEventListener("abort", stop, { once: true });
  tokens.add(token);
  try {
    return await call(token);
  } catch (error) {
    if (error.code === "canceled") signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    tokens.delete(token);
    now.cancel_free(token);
  }
}
