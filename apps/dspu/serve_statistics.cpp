#include "dspu/serve_statistics.hpp"

#include <algorithm>

namespace dspu::app {

std::ostream& operator<<(std::ostream& out, const serve_statistics& s) {
  out << "requests " << s.requests << ", connections " << s.connections << ", at most " << s.max_in_one_second
      << " requests in one second\n";
  out << "answers:";
  for (std::size_t i = 0; i < answer_kinds; ++i)
    if (s.answers[i] > 0) out << ' ' << to_string(static_cast<answer_kind>(i)) << ' ' << s.answers[i];
  out << "\nstatuses:";
  for (const auto& [status, count] : s.by_status) out << ' ' << status << ": " << count;
  return out << '\n';
}

void serve_recorder::connection_opened() {
  const std::lock_guard lock(mutex_);
  ++counts_.connections;
  ++counts_.open_connections;
}

void serve_recorder::connection_closed() {
  const std::lock_guard lock(mutex_);
  --counts_.open_connections;
}

void serve_recorder::connection_malformed() {
  const std::lock_guard lock(mutex_);
  ++counts_.malformed;
}

std::uint64_t serve_recorder::request(std::string_view target, clock::time_point now) {
  const std::lock_guard lock(mutex_);
  last_second_.push_back(now);
  while (last_second_.front() <= now - std::chrono::seconds(1)) last_second_.pop_front();
  counts_.max_in_one_second = std::max<std::uint64_t>(counts_.max_in_one_second, last_second_.size());

  std::string path(target.substr(0, target.find('?')));
  const bool known = counts_.by_path.contains(path);
  if (!known && counts_.by_path.size() >= serve_statistics::max_paths) path = "(other)";
  ++counts_.by_path[path];
  return counts_.requests++;
}

void serve_recorder::answer(answer_kind kind) {
  const std::lock_guard lock(mutex_);
  ++counts_.answers[static_cast<std::size_t>(kind)];
}

void serve_recorder::status(unsigned status) {
  const std::lock_guard lock(mutex_);
  ++counts_.by_status[status];
}

serve_statistics serve_recorder::snapshot() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace dspu::app
