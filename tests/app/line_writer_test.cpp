#include "dspu/line_writer.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <string>

namespace {

using namespace dspu::app;
using dspu::app::testing::read_file;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::HasSubstr;

TEST(LineWriter, KeepsTheFileUntilItIsEmptiedAndAppends) {
  temporary_directory directory;
  write_file(directory / "out", "old\n");
  line_writer writer = line_writer::append_to(directory / "out");
  EXPECT_EQ(read_file(directory / "out"), "old\n");
  writer.empty();
  writer.write("a\n");
  writer.write("b\nc\n");
  EXPECT_EQ(read_file(directory / "out"), "a\nb\nc\n");
  EXPECT_TRUE(writer.regular());
}

mode_t mode_of(const std::string& path) {
  struct stat facts{};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return facts.st_mode & 07777;
}

TEST(LineWriter, LetsOnlyTheOwnerReadWhatMayHoldCredentials) {
  temporary_directory directory;
  line_writer::append_to(directory / "new", file_access::owner_only);
  EXPECT_EQ(mode_of(directory / "new"), 0600u);
  write_file(directory / "old", "");
  ASSERT_EQ(::chmod((directory / "old").c_str(), 0664), 0);
  line_writer::append_to(directory / "old", file_access::owner_only);
  EXPECT_EQ(mode_of(directory / "old"), 0600u);
  line_writer::append_to("/dev/null", file_access::owner_only);
  EXPECT_EQ(mode_of("/dev/null"), 0666u);
}

TEST(LineWriter, ReportsAFullDisk) {
  line_writer writer(file_descriptor(::open("/dev/full", O_WRONLY)), "/dev/full");
  try {
    writer.write("a\n");
    ADD_FAILURE() << "written";
  } catch (const io_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot write /dev/full: No space left"));
  }
}

TEST(LineWriter, ReportsAReaderThatWentAway) {
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[0]);
  line_writer writer(file_descriptor(ends[1]), "pipe");
  EXPECT_THROW(writer.write("a\n"), io_error);
}

// The size limit of the process stands in for a disk that fills up in the middle of a line.
TEST(LineWriter, LeavesNoTornLineBehindAFailedWrite) {
  temporary_directory directory;
  line_writer writer = line_writer::append_to(directory / "out");
  writer.write("whole\n");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_THROW(writer.write("torn line\n"), io_error);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(read_file(directory / "out"), "whole\n");
}

TEST(LineWriter, RefusesAFileThatCannotBeMade) {
  EXPECT_THROW(line_writer::append_to("/nonexistent/out"), io_error);
}

}  // namespace
