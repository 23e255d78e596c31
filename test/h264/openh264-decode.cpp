// Decodes a stream with OpenH264, strictly: an access unit must give its picture
// in the call that takes it in, without an error, a warning or concealment.
//
// Standard input: access units of the byte stream (ITU-T H.264, annex B), each
// behind its length in bytes, uint32 of little endian. Standard output: I420, one
// picture after the other, cropped. Any doubt ends it with status 1 and a line.
#include <wels/codec_api.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr uint32_t kMaxUnitBytes = 16 * 1024 * 1024;
bool hasWarned = false;

[[noreturn]] void Fail(const char* what, long unit, long code) {
  std::fprintf(stderr, "access unit %ld: %s (%ld)\n", unit, what, code);
  std::exit(1);
}

void Warn(void*, int, const char* message) {
  hasWarned = true;
  std::fprintf(stderr, "%s\n", message);
}

// Standard input ends between two access units, or the stream is cut off.
bool ReadUnit(std::vector<unsigned char>& unit, long number) {
  unsigned char length[4];
  const size_t got = std::fread(length, 1, sizeof length, stdin);
  if (got == 0) return false;
  if (got != sizeof length) Fail("its length is cut off", number, static_cast<long>(got));
  const uint32_t bytes = length[0] | length[1] << 8 | length[2] << 16 |
                         static_cast<uint32_t>(length[3]) << 24;
  if (bytes == 0 || bytes > kMaxUnitBytes) Fail("its length cannot be", number, bytes);
  unit.resize(bytes);
  if (std::fread(unit.data(), 1, bytes, stdin) != bytes) Fail("it is cut off", number, bytes);
  return true;
}

void WritePlane(const unsigned char* plane, int width, int height, int stride) {
  for (int y = 0; y < height; y++) {
    const size_t bytes = static_cast<size_t>(width);
    if (std::fwrite(plane + static_cast<std::ptrdiff_t>(y) * stride, 1, bytes, stdout) != bytes) {
      std::perror("standard output");
      std::exit(1);
    }
  }
}

void WritePicture(const SBufferInfo& info) {
  const SSysMEMBuffer& buffer = info.UsrData.sSystemBuffer;
  WritePlane(info.pDst[0], buffer.iWidth, buffer.iHeight, buffer.iStride[0]);
  WritePlane(info.pDst[1], buffer.iWidth / 2, buffer.iHeight / 2, buffer.iStride[1]);
  WritePlane(info.pDst[2], buffer.iWidth / 2, buffer.iHeight / 2, buffer.iStride[1]);
}

ISVCDecoder* Open() {
  ISVCDecoder* decoder = nullptr;
  if (const long code = WelsCreateDecoder(&decoder)) Fail("no decoder", 0, code);
  int level = WELS_LOG_WARNING;
  WelsTraceCallback callback = Warn;
  decoder->SetOption(DECODER_OPTION_TRACE_LEVEL, &level);
  decoder->SetOption(DECODER_OPTION_TRACE_CALLBACK, &callback);
  SDecodingParam param = {};
  param.eEcActiveIdc = ERROR_CON_DISABLE;
  param.sVideoProperty.size = sizeof param.sVideoProperty;
  param.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
  if (const long code = decoder->Initialize(&param)) Fail("Initialize", 0, code);
  return decoder;
}

}  // namespace

int main() {
  ISVCDecoder* decoder = Open();
  std::vector<unsigned char> unit;
  long number = 0;
  for (; ReadUnit(unit, number); number++) {
    unsigned char* planes[3] = {};
    SBufferInfo info = {};
    const int bytes = static_cast<int>(unit.size());
    const DECODING_STATE state = decoder->DecodeFrameNoDelay(unit.data(), bytes, planes, &info);
    if (state != dsErrorFree) Fail("not decoded without an error", number, state);
    if (hasWarned) Fail("decoded with a warning", number, state);
    if (info.iBufferStatus != 1) Fail("no picture", number, info.iBufferStatus);
    WritePicture(info);
  }
  unsigned char* planes[3] = {};
  SBufferInfo rest = {};
  const DECODING_STATE state = decoder->FlushFrame(planes, &rest);
  if (state != dsErrorFree || rest.iBufferStatus != 0) {
    Fail("something was left at the end", number, rest.iBufferStatus);
  }
  decoder->Uninitialize();
  WelsDestroyDecoder(decoder);
  return 0;
}
