#include "dspu/input.hpp"

#include "dspu/descriptor_watch.hpp"
#include "dspu/failure.hpp"
#include "dspu/utf8.hpp"
#include "dspu/wrong_line.hpp"

#include <boost/asio/this_coro.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace dspu::app {

namespace asio = boost::asio;

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string default_id(std::uint64_t n, const digest& content) {
  std::string id;
  id.reserve(sizeof "18446744073709551615-0123456789abcdef");
  id += std::to_string(n);
  id += '-';
  append_short_hex(id, content);
  return id;
}

line_reader open_input(const std::string& name, std::size_t longest_line) {
  const bool standard = name == "-";
  file_descriptor file(standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw usage_error("cannot open input " + name + ": " + std::generic_category().message(errno));
  try {
    return line_reader(std::move(file), standard ? "standard input" : name, longest_line);
  } catch (const io_error& error) {
    throw usage_error(error.what());
  }
}

}  // namespace

input::input(input_options options) : defaults_(std::move(options.defaults)), urls_(std::move(options.urls)) {
  for (const std::string& name : options.files) readers_.push_back(open_input(name, options.longest_line));
}

request_source::state input::next(input_item& item) {
  while (next_url_ < urls_.size()) {
    const std::size_t index = next_url_++;
    const auto where = [&] { return "argument " + std::to_string(index + 1); };
    if (fill(item, urls_[index], where)) return state::item;
  }
  while (reader_ < readers_.size()) {
    const state found = next_line(item);
    if (found != state::end) return found;
    ++reader_;
  }
  return state::end;
}

request_source::state input::next_line(input_item& item) {
  line_reader& reader = readers_[reader_];
  while (true) {
    std::string_view line;
    const line_reader::status status = reader.next(line);
    if (status == line_reader::status::pending) return state::pending;
    if (status == line_reader::status::end) return state::end;
    if (reader.line_number() == 1 && line.starts_with(byte_order_mark))
      line.remove_prefix(byte_order_mark.size());
    const auto where = [&] { return reader.name() + ":" + std::to_string(reader.line_number()); };
    if (status == line_reader::status::too_long) {
      reject(item, {}, where() + ": the line is too long");
      return state::item;
    }
    if (reader.line_number() == 1 && is_utf16(line)) {
      reject(item, {},
             where() + ": this is UTF-16, of which nothing is read; convert it with iconv -t UTF-8");
      ++reader_;
      return state::item;
    }
    if (fill(item, line, where)) return state::item;
  }
}

// Returns whether the line holds anything at all.
template <class Where>
bool input::fill(input_item& item, std::string_view line, Where where) {
  try {
    auto parsed = parse_request_line(line, defaults_);
    if (!parsed) return false;
    accept(item, *std::move(parsed));
  } catch (const std::invalid_argument& error) {
    reject(item, line, where() + ": " + to_utf8(error.what()));
  }
  return true;
}

void input::accept(input_item& item, parsed_line line) {
  const http_request& request = line.request;
  const bool own = line.id.has_value();
  std::string id = own ? *std::move(line.id)
                       : default_id(count_ + 1, digest_of({request.method, request.url, request.body}));
  const bool taken = own ? !own_ids_.insert(digest_of({id}))
                         : own_ids_.size() > 0 && own_ids_.find(digest_of({id})).has_value();
  if (taken) throw std::invalid_argument("the id \"" + id + "\" has been used before; ids must differ");
  item.n = ++count_;
  item.id = std::move(id);
  item.request = std::move(line.request);
  item.asked = std::move(line.asked);
  item.meta = std::move(line.meta);
  item.line.clear();
  item.problem.clear();
}

void input::reject(input_item& item, std::string_view line, const std::string& problem) {
  wrong_line known(line);
  item.n = ++count_;
  // An id that has been used before stays with whom it was first.
  const bool keeps_id = known.id && own_ids_.insert(digest_of({*known.id}));
  item.id = keeps_id ? *std::move(known.id) : default_id(item.n, digest_of({"invalid", line}));
  item.request = {};
  item.asked = std::move(known.url);
  item.meta = std::move(known.meta);
  item.line = line.empty() ? std::string() : to_mend(line, item.id);
  item.problem = problem;
}

asio::awaitable<void> input::wait() {
  if (reader_ >= readers_.size()) co_return;
  const auto executor = co_await asio::this_coro::executor;
  descriptor_watch watch(executor, readers_[reader_].descriptor(), descriptor_watch::readiness::readable);
  auto readable = watch.wait();
  co_await std::move(readable);
}

// What has been read is held against the size of the files. A pipe that is still open has no size.
std::optional<std::uint64_t> input::expected() const {
  const std::uint64_t from_arguments = urls_.size();
  if (reader_ >= readers_.size() && next_url_ >= urls_.size()) return count_;
  std::uint64_t taken = 0;
  std::uint64_t in_all = 0;
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    if (readers_[i].bytes_in_all() == 0 && i >= reader_) return std::nullopt;
    taken += readers_[i].bytes_taken();
    in_all += std::max(readers_[i].bytes_in_all(), readers_[i].bytes_taken());
  }
  if (in_all == 0) return from_arguments;
  if (taken == 0 || count_ <= from_arguments) return std::nullopt;
  const double per_byte = static_cast<double>(count_ - from_arguments) / static_cast<double>(taken);
  return from_arguments + static_cast<std::uint64_t>(per_byte * static_cast<double>(in_all) + 0.5);
}

}  // namespace dspu::app
