import { AvatarError } from "../../avatar/avatar-error.ts";
import { CoreError, toErrorData } from "../core-error.ts";
import { OnnxError } from "../model/session.ts";
import type { WorkerEvent } from "./messages.ts";

/** How onnxruntime, CUDA, cuDNN, cuBLAS, TensorRT, Vulkan and C++ say that memory is short. */
const OUT_OF_MEMORY =
  /out[ _]?of[ _]?(?:device[ _]?|host[ _]?)?memory|alloc_failed|bad_alloc|failed to allocate|not enough memory/i;

type FailedEvent = Extract<WorkerEvent, { type: "failed" }>;

/**
 * Whose fault an error is: what the runtime of a GPU says of a broken model and
 * of a broken GPU looks alike, and CUDA errors stay with the process. So the
 * GPU is asked to run what is known to run.
 * @param prove null where nothing but the model can be at fault, on a CPU
 */
export async function judgeFailure(
  error: unknown,
  prove: (() => Promise<void>) | null,
): Promise<FailedEvent> {
  if (error instanceof AvatarError) return failed("failed_precondition", error.message);
  const { code, message } = toErrorData(error);
  // Ours: about the files or the request, and never about the device.
  if (error instanceof CoreError && !(error instanceof OnnxError)) return failed(code, message);
  if (OUT_OF_MEMORY.test(message)) return failed("resource_exhausted", message);
  if (!prove) return failed(code, message);
  try {
    await prove();
    return failed(code, message);
  } catch (doubt) {
    const why = toErrorData(doubt).message;
    if (OUT_OF_MEMORY.test(why)) return failed("resource_exhausted", message);
    return {
      ...failed("internal", `${message}; nor does the device run anything else: ${why}`),
      isDeviceFault: true,
    };
  }
}

function failed(code: FailedEvent["error"]["code"], message: string): FailedEvent {
  return { type: "failed", error: { code, message } };
}
