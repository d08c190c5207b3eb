// Runs the inputs in folders and files through a fuzz target, with any compiler: what libFuzzer found once is
// a test.
#include "fuzz/claim.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

void replay(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  dspu::fuzz::claim(in.good() || in.eof(), "the corpus can be read", file.string());
  // Printed before: the last name is that of the input that breaks a claim.
  std::printf("%s\n", file.filename().c_str());
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<fs::path> files;
    if (fs::is_directory(argv[i])) {
      for (const auto& entry : fs::directory_iterator(argv[i])) files.push_back(entry.path());
    } else {
      files.emplace_back(argv[i]);
    }
    std::ranges::sort(files);
    for (const auto& file : files) replay(file);
    count += files.size();
  }
  std::printf("%zu inputs\n", count);
  return count > 0 ? 0 : 1;
}
