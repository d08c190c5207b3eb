#include "support.hpp"

namespace dspu::bench {

double current_rss_bytes() {
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr) return 0;
  long total = 0;
  long resident = 0;
  const int read = std::fscanf(f, "%ld %ld", &total, &resident);
  std::fclose(f);
  return read == 2 ? 4096.0 * static_cast<double>(resident) : 0;
}

}  // namespace dspu::bench
