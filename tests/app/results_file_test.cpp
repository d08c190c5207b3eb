#include "dspu/results_file.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"
#include "dspu/record.hpp"
#include "dspu/resumed_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace dspu::app;
using dspu::app::testing::read_file;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string line_of(const std::string& id, outcome how = outcome::ok) {
  result_record record;
  record.id = id;
  record.outcome = how;
  record.body = "body of \"" + id + "\"\nsecond line";
  return to_json_line(record);
}

TEST(ResultsFile, KnowsWhatIsFinished) {
  temporary_directory directory;
  write_file(directory / "out", line_of("a") + line_of("b", outcome::http_error));
  const resumed_results resumed = resume_results(directory / "out");
  EXPECT_EQ(resumed.finished.size(), 2u);
  EXPECT_EQ(resumed.finished.failures(), 1u);
  EXPECT_EQ(resumed.torn_bytes, 0u);
  EXPECT_TRUE(resumed.finished.contains("a"));
  EXPECT_FALSE(resumed.finished.failed("a"));
  EXPECT_TRUE(resumed.finished.failed("b"));
  EXPECT_FALSE(resumed.finished.contains("c"));
}

TEST(ResultsFile, StartsWithAFileThatIsNotThere) {
  temporary_directory directory;
  resumed_results resumed = resume_results(directory / "out");
  EXPECT_EQ(resumed.finished.size(), 0u);
  resumed.writer.write(line_of("a"));
  EXPECT_EQ(read_file(directory / "out"), line_of("a"));
}

// The promise itself: a run is its sequence of appended bytes, and a kill leaves a prefix of it.
TEST(ResultsFile, LosesAndRepeatsNothingWhereverItIsKilled) {
  const std::vector<std::string> ids{"1-a", "zwei", "3", "four"};
  std::string whole;
  for (const std::string& id : ids) whole += line_of(id, id == "3" ? outcome::timeout : outcome::ok);
  temporary_directory directory;
  for (std::size_t killed_at = 0; killed_at <= whole.size(); ++killed_at) {
    write_file(directory / "out", whole.substr(0, killed_at));
    resumed_results resumed = resume_results(directory / "out");
    for (const std::string& id : ids) {
      if (!resumed.finished.contains(id))
        resumed.writer.write(line_of(id, id == "3" ? outcome::timeout : outcome::ok));
    }
    ASSERT_EQ(read_file(directory / "out"), whole) << "killed at byte " << killed_at;
  }
}

TEST(ResultsFile, CutsOffATornLineThatIsLongerThanABuffer) {
  temporary_directory directory;
  write_file(directory / "out", line_of("a") + "{\"v\":1,\"id\":\"" + std::string(200'000, 'x'));
  const resumed_results resumed = resume_results(directory / "out");
  EXPECT_EQ(read_file(directory / "out"), line_of("a"));
  EXPECT_GT(resumed.torn_bytes, 200'000u);
}

TEST(ResultsFile, RefusesAFileOfSomethingElse) {
  temporary_directory directory;
  write_file(directory / "out", line_of("a") + "http://h/1\nno line feed");
  try {
    resume_results(directory / "out");
    ADD_FAILURE() << "accepted";
  } catch (const usage_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("out:2: not a result line"));
  }
  EXPECT_EQ(read_file(directory / "out"), line_of("a") + "http://h/1\nno line feed");
  EXPECT_THROW(resume_results("/dev/null"), usage_error);
}

// As after a power cut: parts of the file that had not reached the disk are NUL.
TEST(ResultsFile, TakesOutLinesWithNulBytesAndDoesTheirRequestsAgain) {
  const std::string a = line_of("a"), b = line_of("b"), c = line_of("c");
  const std::string whole = a + b + c;
  temporary_directory directory;
  for (std::size_t from = 0; from < whole.size(); from += 43) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{30}, whole.size()}) {
      std::string text = whole;
      const std::size_t length = std::min(count, text.size() - from);
      text.replace(from, length, length, '\0');
      write_file(directory / "out", text);
      resumed_results resumed = resume_results(directory / "out");
      std::string left;
      for (const auto& [id, line] : {std::pair{"a", a}, {"b", b}, {"c", c}}) {
        const bool whole_line = ("\n" + text).find("\n" + line) != std::string::npos;
        EXPECT_EQ(resumed.finished.contains(id), whole_line) << from << ' ' << count;
        if (resumed.finished.contains(id)) left += line;
      }
      ASSERT_EQ(read_file(directory / "out"), left) << from << ' ' << count;
      resumed.writer.write(line_of("d"));
      ASSERT_EQ(read_file(directory / "out"), left + line_of("d"));
      EXPECT_THROW(resume_results(directory / "out"), usage_error) << "it is locked";
    }
  }
}

TEST(ResultsFile, IsRepairedWhereALinkLeadsAndStaysAsReadableAsItWas) {
  temporary_directory directory;
  write_file(directory / "out", std::string(5000, '\0') + line_of("a").substr(20) + line_of("b"));
  std::filesystem::permissions(directory / "out", std::filesystem::perms(0640));
  std::filesystem::create_symlink("out", directory / "link");
  const resumed_results resumed = resume_results(directory / "link");
  EXPECT_EQ(resumed.damaged_lines, 1u);
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(directory / "out"), line_of("b"));
  EXPECT_EQ(std::filesystem::status(directory / "out").permissions(), std::filesystem::perms(0640));
  EXPECT_FALSE(std::filesystem::exists(directory / "out.repaired"));
}

// What is behind the last line feed is cut off: it had better be ours.
TEST(ResultsFile, RefusesTextThatDoesNotEndInALineFeed) {
  temporary_directory directory;
  for (const std::string& text :
       {std::string("http://h/1"), line_of("a") + "my notes", std::string("h\0t\0t\0p\0\n", 9)}) {
    write_file(directory / "out", text);
    EXPECT_THROW(resume_results(directory / "out"), usage_error) << text;
    EXPECT_EQ(read_file(directory / "out"), text);
  }
}

TEST(ResultsFile, RefusesASecondRunOnTheSameFile) {
  temporary_directory directory;
  resumed_results first = resume_results(directory / "out");
  first.writer.write(line_of("a"));
  EXPECT_THROW(resume_results(directory / "out"), usage_error);
  EXPECT_THROW(open_results(directory / "out"), usage_error);
  EXPECT_EQ(read_file(directory / "out"), line_of("a"));
}

TEST(ResultsFile, StartsAnewWithoutResume) {
  temporary_directory directory;
  write_file(directory / "out", "anything");
  line_writer writer = open_results(directory / "out");
  EXPECT_EQ(read_file(directory / "out"), "anything");
  writer.empty();
  writer.write("b\n");
  EXPECT_EQ(read_file(directory / "out"), "b\n");
  EXPECT_FALSE(open_results("/dev/null").regular());
}

TEST(FinishedRequests, CountAGoodLineMoreThanAnyThatFailed) {
  finished_requests finished;
  finished.add(line_of("a", outcome::timeout));
  finished.add(line_of("a", outcome::invalid_input));
  EXPECT_TRUE(finished.failed("a"));
  EXPECT_TRUE(finished.was_invalid("a"));
  EXPECT_EQ(finished.failures(), 1u);
  finished.add(line_of("a"));
  finished.add(line_of("a", outcome::dns));
  EXPECT_FALSE(finished.failed("a"));
  EXPECT_FALSE(finished.was_invalid("a"));
  EXPECT_EQ(finished.failures(), 0u);
  EXPECT_EQ(finished.size(), 1u);
}

class listed_source final : public request_source {
 public:
  explicit listed_source(std::vector<std::string> ids) : ids_(std::move(ids)) {}

  state next(input_item& item) override {
    if (next_ == ids_.size()) return state::end;
    item.id = ids_[next_++];
    item.problem = item.id == wrong ? "wrong" : "";
    return state::item;
  }
  std::string wrong;  // the id of a line that is no request
  boost::asio::awaitable<void> wait() override { co_return; }
  std::optional<std::uint64_t> expected() const override { return ids_.size(); }

 private:
  std::vector<std::string> ids_;
  std::size_t next_ = 0;
};

TEST(ResumedSource, LeavesOutWhatIsFinishedAndListsWhatFailed) {
  finished_requests finished;
  finished.add(line_of("b"));
  finished.add(line_of("c", outcome::dns));
  finished.add(line_of("gone"));
  listed_source all({"a", "b", "c", "d"});
  std::vector<std::string> failed;
  resumed_source source(all, finished, [&](const input_item& item) { failed.push_back(item.id); });
  std::vector<std::string> left;
  for (input_item item; source.next(item) == request_source::state::item;) left.push_back(item.id);
  EXPECT_THAT(left, ElementsAre("a", "d"));
  EXPECT_THAT(failed, ElementsAre("c"));
  EXPECT_EQ(source.skipped(), 2u);
  EXPECT_EQ(source.expected(), 1u);
}

// Two runs with -o /dev/null refused each other.
TEST(ResultsFile, LocksRegularFilesOnly) {
  const line_writer first = open_results("/dev/null");
  EXPECT_NO_THROW(open_results("/dev/null"));
}

std::vector<std::string> left_of(request_source& source) {
  std::vector<std::string> left;
  for (input_item item; source.next(item) == request_source::state::item;) left.push_back(item.id);
  return left;
}

TEST(ResumedSource, RepeatsWhatFailedIfItShall) {
  finished_requests finished;
  finished.add(line_of("a"));
  finished.add(line_of("b", outcome::dns));
  finished.add(line_of("c", outcome::invalid_input));
  listed_source all({"a", "b", "c", "d"});
  all.wrong = "c";
  std::vector<std::string> failed;
  resumed_source source(all, finished, [&](const input_item& item) { failed.push_back(item.id); }, true);
  EXPECT_THAT(left_of(source), ElementsAre("b", "d"));
  EXPECT_THAT(failed, ElementsAre("c")) << "it is as wrong as it was";
  EXPECT_EQ(source.repeated(), 1u);
  EXPECT_EQ(source.skipped(), 2u);
}

TEST(ResumedSource, DoesALineThatHasBeenMended) {
  finished_requests finished;
  finished.add(line_of("a", outcome::http_error));
  finished.add(line_of("b", outcome::invalid_input));
  listed_source all({"a", "b"});
  resumed_source source(all, finished, [](const input_item&) {});
  EXPECT_THAT(left_of(source), ElementsAre("b"));
}

}  // namespace
