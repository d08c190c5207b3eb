#include "dspu/results_command.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"
#include "dspu/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using dspu::app::testing::read_file;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::HasSubstr;

std::string line_of(const std::string& id, outcome how = outcome::ok, std::uint64_t n = 1) {
  result_record record;
  record.id = id;
  record.n = n;
  record.outcome = how;
  return to_json_line(record);
}

class ResultsCommand : public ::testing::Test {
 protected:
  std::string newest(const std::vector<std::string>& files, bool failed_only = false) {
    line_writer out = line_writer::append_to(directory / "out");
    out.empty();
    write_newest_results(files, failed_only, out);
    return read_file(directory / "out");
  }

  temporary_directory directory;
  const std::string first = directory / "first";
  const std::string second = directory / "second";
};

TEST_F(ResultsCommand, GivesTheLastGoodLineOfEachIdOrTheLastOne) {
  write_file(first, line_of("a", outcome::dns) + line_of("b", outcome::dns, 1) + line_of("c") +
                        line_of("b", outcome::tls, 2) + "{\"v\":1,\"id\":\"torn");
  write_file(second, line_of("a") + line_of("c", outcome::timeout) + std::string(30, '\0') + "\n");
  EXPECT_EQ(newest({first}), line_of("a", outcome::dns) + line_of("c") + line_of("b", outcome::tls, 2));
  EXPECT_EQ(newest({first, second}), line_of("c") + line_of("b", outcome::tls, 2) + line_of("a"));
  EXPECT_EQ(newest({first, second}, true), line_of("b", outcome::tls, 2));
}

TEST_F(ResultsCommand, RefusesWhatIsNoFileOfResults) {
  write_file(first, line_of("a") + "http://h/\n");
  try {
    newest({first});
    ADD_FAILURE() << "accepted";
  } catch (const usage_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("first:2: not a result line"));
  }
  EXPECT_THROW(newest({"/dev/null"}), usage_error);
  EXPECT_THROW(newest({directory / "absent"}), io_error);
}

}  // namespace
