#include "dspu/line_reader.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::string_literals;
using dspu::app::testing::temporary_directory;
using dspu::app::testing::write_file;
using ::testing::ElementsAre;

using status = line_reader::status;

// Every line, "<too long>" for one that was too long.
std::vector<std::string> lines_of(std::string_view text, std::size_t longest = 100) {
  temporary_directory directory;
  write_file(directory / "in", text);
  line_reader reader(file_descriptor(::open((directory / "in").c_str(), O_RDONLY)), "in", longest);
  std::vector<std::string> lines;
  std::string_view line;
  for (status s = reader.next(line); s != status::end; s = reader.next(line)) {
    lines.emplace_back(s == status::too_long ? "<too long>" : line);
  }
  EXPECT_EQ(reader.line_number(), lines.size());
  EXPECT_EQ(reader.bytes_taken(), text.size());
  return lines;
}

TEST(LineReader, CutsLines) {
  EXPECT_THAT(lines_of(""), ElementsAre());
  EXPECT_THAT(lines_of("a\nb\n"), ElementsAre("a", "b"));
  EXPECT_THAT(lines_of("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(lines_of("a\r\n"), ElementsAre("a\r"));
  EXPECT_THAT(lines_of("a\0b\n"s), ElementsAre("a\0b"s));
}

TEST(LineReader, LosesOnlyTheLineThatIsTooLong) {
  const std::string longest(100, 'x');
  EXPECT_THAT(lines_of("a\n" + longest + "\nb\n"), ElementsAre("a", longest, "b"));
  EXPECT_THAT(lines_of("a\n" + longest + "x\nb\n"), ElementsAre("a", "<too long>", "b"));
  EXPECT_THAT(lines_of("a\n" + longest + "x"), ElementsAre("a", "<too long>"));
  const std::string huge(1'000'000, 'x');
  EXPECT_THAT(lines_of(huge + "\nb\n" + huge), ElementsAre("<too long>", "b", "<too long>"));
}

TEST(LineReader, JoinsWhatWasReadInPieces) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 20000; ++i) {
    expected.push_back(std::to_string(i * 7919));
    text += expected.back() + "\n";
  }
  EXPECT_EQ(lines_of(text), expected);
}

TEST(LineReader, SaysThatAPipeHasNothingYet) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  line_reader reader(file_descriptor(ends[0]), "pipe", 100);
  file_descriptor writer(ends[1]);
  std::string_view line;
  EXPECT_EQ(reader.next(line), status::pending);
  ASSERT_EQ(::write(writer.get(), "one\ntw", 6), 6);
  EXPECT_EQ(reader.next(line), status::line);
  EXPECT_EQ(line, "one");
  EXPECT_EQ(reader.next(line), status::pending);
  writer.reset();
  EXPECT_EQ(reader.next(line), status::line);
  EXPECT_EQ(line, "tw");
  EXPECT_EQ(reader.next(line), status::end);
}

TEST(LineReader, RefusesADirectory) {
  EXPECT_THROW(line_reader(file_descriptor(::open("/", O_RDONLY)), "/", 100), io_error);
}

}  // namespace
