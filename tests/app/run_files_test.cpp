#include "dspu/run_files.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace {

using namespace dspu::app;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const fetch_options& options) {
  try {
    check_files_differ(options);
  } catch (const usage_error& error) {
    return error.what();
  }
  return "accepted";
}

// A directory with a list, and other names for it.
class RunFiles : public ::testing::Test {
 protected:
  RunFiles() {
    write_file(list, "http://h/1\n");
    std::filesystem::create_symlink(list, link);
    std::filesystem::create_hard_link(list, hard_link);
    options.inputs = {list};
    options.output = directory / "results";
  }

  temporary_directory directory;
  const std::string list = directory / "list";
  const std::string link = directory / "link";
  const std::string hard_link = directory / "hard_link";
  const std::string other_spelling = directory / "./../" + directory.path().filename().string() + "/list";
  fetch_options options;
};

TEST_F(RunFiles, AreAcceptedWhereAllDiffer) {
  write_file(directory / "body", "");
  options.data = {{}, directory / "body"};
  options.failed_to = directory / "failed";
  options.summary_json = directory / "summary";
  options.record = directory / "record";
  EXPECT_EQ(refusal(options), "accepted");
}

TEST_F(RunFiles, OfInputAreRefusedAsAnyOutputByWhateverName) {
  for (std::string fetch_options::* output : {&fetch_options::output, &fetch_options::failed_to,
                                              &fetch_options::summary_json, &fetch_options::record}) {
    for (const std::string& name : {list, link, hard_link, other_spelling}) {
      fetch_options wrong = options;
      wrong.*output = name;
      EXPECT_THAT(refusal(wrong),
                  AllOf(HasSubstr("'" + name + "' is the same file as --input"), HasSubstr(list)));
    }
  }
}

TEST_F(RunFiles, ThatAreReadForOtherReasonsAreRefusedToo) {
  options.inputs.clear();
  options.output = list;
  fetch_options data = options;
  data.data = {{}, link};
  EXPECT_THAT(refusal(data), HasSubstr("is the same file as --data"));
  fetch_options config = options;
  config.config = link;
  EXPECT_THAT(refusal(config), HasSubstr("is the same file as --config"));
  fetch_options cacert = options;
  cacert.cacert = link;
  EXPECT_THAT(refusal(cacert), HasSubstr("is the same file as --cacert"));
}

TEST_F(RunFiles, MustNotServeForTwoOutputs) {
  const std::string present = directory / "present";
  write_file(present, "");
  std::filesystem::create_symlink("absent", directory / "to_absent");
  for (const auto& [one, other] :
       {std::pair{present, directory / "./present"}, std::pair{directory / "absent", directory / "./absent"},
        std::pair{directory / "to_absent", directory / "absent"}}) {
    fetch_options wrong = options;
    wrong.output = one;
    wrong.failed_to = other;
    EXPECT_THAT(refusal(wrong), HasSubstr("--failed-to '" + other + "' is the same file as --output"));
    wrong.failed_to.clear();
    wrong.record = other;
    EXPECT_THAT(refusal(wrong), HasSubstr("--record '" + other + "' is the same file as --output"));
    wrong.record.clear();
    wrong.summary_json = other;
    EXPECT_THAT(refusal(wrong), HasSubstr("--summary-json '" + other + "' is the same file as --output"));
  }
}

TEST_F(RunFiles, OfDevicesMayServeForAll) {
  options.inputs = {"/dev/null"};
  options.output = options.failed_to = options.summary_json = options.record = "/dev/null";
  EXPECT_EQ(refusal(options), "accepted");
}

// What went into the pipe would come out of it as input.
TEST_F(RunFiles, ThatArePipesAreNotInputAndOutput) {
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  options.output = options.failed_to = pipe;
  EXPECT_EQ(refusal(options), "accepted");
  options.inputs = {pipe};
  EXPECT_THAT(refusal(options), HasSubstr("is the same file as --input"));
}

TEST_F(RunFiles, ThatCannotExistAreLeftToWhoOpensThem) {
  options.output = "/nonexistent/results";
  options.failed_to = list + "/below_a_file";
  std::filesystem::create_symlink("loop", directory / "loop");
  options.record = directory / "loop";
  EXPECT_EQ(refusal(options), "accepted");
}

class redirected_descriptor {
 public:
  redirected_descriptor(int descriptor, const std::string& file)
      : descriptor_(descriptor), saved_(::dup(descriptor)) {
    const int opened = ::open(file.c_str(), O_RDWR | O_APPEND);
    ::dup2(opened, descriptor_);
    ::close(opened);
  }
  ~redirected_descriptor() {
    ::dup2(saved_, descriptor_);
    ::close(saved_);
  }
  redirected_descriptor(const redirected_descriptor&) = delete;
  redirected_descriptor& operator=(const redirected_descriptor&) = delete;

 private:
  int descriptor_;
  int saved_;
};

// dspu fetch < list >> list
TEST_F(RunFiles, IncludeTheStandardStreams) {
  fetch_options piped;
  piped.inputs = {"-"};
  const redirected_descriptor input(STDIN_FILENO, list);
  const redirected_descriptor output(STDOUT_FILENO, list);
  EXPECT_EQ(refusal(piped), "standard output is the same file as standard input");
  piped.output = link;
  EXPECT_THAT(refusal(piped), HasSubstr("is the same file as standard input"));
}

}  // namespace
