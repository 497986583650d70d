import { now } from "./native.js";

/** The tokens of calls under way. */
const tokens = new Set();

// Node waits for the threads of its pool when it exits: what they do for us is to end soon.
process.on("exit", () => tokens.forEach((token) => now.cancel_trigger(token)));

/** Makes a tinyci_cancel for the time of a call that `signal` can abort. */
export async function withCancel(signal, call) {
  signal?.throwIfAborted();
  const token = now.cancel_new();
  const stop = () => now.cancel_trigger(token);
  signal?.addEventListener("abort", stop, { once: true });
  tokens.add(token);
  try {
    return await call(token);
  } catch (error) {
    if (error.status === "canceled") signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    tokens.delete(token);
    now.cancel_free(token);
  }
}
