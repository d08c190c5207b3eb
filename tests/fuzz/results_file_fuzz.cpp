// The results file as a journal: whatever is in it, --resume loses nothing and repeats nothing.
//
// Input: a byte. If it is even, the rest is the file. If it is odd, the rest is: two bytes, then ids, a line
// each; the file is what a run with those ids wrote until it was killed, at a place that the two bytes
// choose.
#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"
#include "dspu/record.hpp"
#include "dspu/resumed_source.hpp"
#include "dspu/utf8.hpp"
#include "fuzz/claim.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace dspu::app;
using dspu::fuzz::chooser;
using dspu::fuzz::claim;

std::string line_of(const std::string& id, bool ok) {
  result_record record;
  record.id = id;
  record.outcome = ok ? outcome::ok : outcome::timeout;
  record.error = id;
  record.body = id;
  return to_json_line(record);
}

// id and whether none of its lines is good, read without the code that is tested; nothing if a line is wrong.
std::optional<std::map<std::string, bool>> read_lines(std::string_view text) {
  std::map<std::string, bool> failed;
  for (; !text.empty(); text.remove_prefix(text.find('\n') + 1)) {
    boost::system::error_code error;
    const auto value = boost::json::parse(text.substr(0, text.find('\n')), error);
    if (error || !value.is_object()) return std::nullopt;
    const auto* id = value.get_object().if_contains("id");
    const auto* ok = value.get_object().if_contains("ok");
    if (id == nullptr || !id->is_string() || ok == nullptr || !ok->is_bool()) return std::nullopt;
    bool& all_failed = failed.emplace(std::string(id->get_string()), true).first->second;
    all_failed = all_failed && !ok->get_bool();
  }
  return failed;
}

bool may_begin_a_result(std::string_view text) {
  constexpr std::string_view begin = "{\"v\":";
  const std::size_t common = std::min(text.size(), begin.size());
  return text.substr(0, common) == begin.substr(0, common);
}

// What is to be left of a file: its whole lines, but for those that a power cut has riddled with NUL bytes.
// Nothing if it ends in something else than the beginning of a result.
std::optional<std::string> what_is_kept(std::string_view text) {
  std::string kept;
  for (; text.find('\n') != text.npos; text.remove_prefix(text.find('\n') + 1)) {
    const std::string line(text.substr(0, text.find('\n') + 1));
    std::string outline;  // each run of NUL bytes as one
    for (const char c : line)
      if (c != '\0' || outline.empty() || outline.back() != '\0') outline += c;
    const auto runs = std::ranges::count(outline, '\0');
    const bool damaged = runs >= 1 && runs <= 3 && may_begin_a_result(line.substr(0, line.find('\0')));
    if (!damaged) kept += line;
  }
  if (!may_begin_a_result(text.substr(0, text.find('\0')))) return std::nullopt;
  return kept;
}

class listed_source final : public request_source {
 public:
  explicit listed_source(const std::set<std::string>& ids) : ids_(ids.begin(), ids.end()) {}
  state next(input_item& item) override {
    if (next_ == ids_.size()) return state::end;
    item.id = ids_[next_++];
    return state::item;
  }
  boost::asio::awaitable<void> wait() override { co_return; }
  std::optional<std::uint64_t> expected() const override { return ids_.size(); }

 private:
  std::vector<std::string> ids_;
  std::size_t next_ = 0;
};

// Does what is left of `input` according to the journal, and says what that was.
std::set<std::string> finish(const std::string& path, const std::set<std::string>& input) {
  resumed_results resumed = resume_results(path);
  listed_source all(input);
  resumed_source source(all, resumed.finished, [](const input_item&) {});
  std::set<std::string> done;
  for (input_item item; source.next(item) == request_source::state::item;) {
    done.insert(item.id);
    resumed.writer.write(line_of(item.id, true));
  }
  claim(source.skipped() + done.size() == input.size(), "every request is left out or done", path);
  return done;
}

void check_resumption(const std::string& path, const std::string& before,
                      const std::set<std::string>& extra) {
  const auto kept = what_is_kept(before);
  const auto expected = kept ? read_lines(*kept) : std::nullopt;
  std::set<std::string> input = extra;
  try {
    const resumed_results resumed = resume_results(path);
    claim(expected.has_value(), "only a file of results is gone on with", before);
    claim(testing::read_file(path) == *kept, "the whole lines stay and the torn one goes", before);
    claim(resumed.torn_bytes == before.size() - (before.rfind('\n') + 1), "what was cut off is counted",
          before);
    claim(resumed.finished.size() == expected->size(), "the ids are those of the lines", before);
    std::uint64_t failures = 0;
    for (const auto& [id, failed] : *expected) {
      claim(resumed.finished.contains(id), "every id of a line is finished", id);
      claim(resumed.finished.failed(id) == failed, "a good line of an id wins", id);
      failures += failed ? 1 : 0;
      if (input.size() < 64) input.insert(id);
    }
    claim(resumed.finished.failures() == failures, "failures are counted", before);
  } catch (const usage_error&) {
    claim(!expected.has_value(), "every file of results is gone on with", before);
    claim(testing::read_file(path) == before, "a file that is refused stays as it is", before);
    return;
  }
  for (const auto& id : finish(path, input)) claim(!expected->contains(id), "nothing is done twice", id);
  claim(finish(path, input).empty(), "then all is done", before);
  const auto after = read_lines(testing::read_file(path));
  claim(after.has_value(), "what is there in the end is a file of results", before);
  for (const auto& id : input) claim(after->contains(id), "nothing is lost", id);
}

const std::string& scratch_file() {
  static const testing::temporary_directory directory;
  static const std::string path = directory / "results.jsonl";
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser input(std::string_view(reinterpret_cast<const char*>(data), size));
  const bool made_by_a_run = input.byte() % 2 == 1;
  std::set<std::string> ids;
  std::string text;
  if (made_by_a_run) {
    const unsigned killed_at = input.byte() << 8 | input.byte();
    while (!input.rest().empty() && ids.size() < 16) {
      // A result's id came out of JSON or out of a hash: it is text.
      ids.insert(to_utf8(input.until('\n')));
    }
    for (const auto& id : ids) text += line_of(id, id.size() % 3 != 0);
    text.resize(text.size() * killed_at / 0xffff);
  } else {
    text = input.rest();
  }
  testing::write_file(scratch_file(), text);
  check_resumption(scratch_file(), text, ids);
  return 0;
}
