#include "dspu/inflater.hpp"

#include "dspu/gzip.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <vector>

namespace dspu::app {
namespace {

std::string deflated(const std::string& text, int window_bits) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::vector<char> out(deflateBound(&z, text.size()) + 64);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  const std::string result(out.data(), out.size() - z.avail_out);
  deflateEnd(&z);
  return result;
}

std::string inflated(inflater& i, inflater::format f, const std::string& bytes, std::size_t piece) {
  std::string out;
  i.reset(f);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    i.write(std::string_view(bytes).substr(at, piece), [&](std::span<const char> p) {
      EXPECT_LE(p.size(), 16U * 1024);
      out.append(p.data(), p.size());
    });
  i.finish();
  return out;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * i) + ",";
  return text;
}

TEST(Inflater, UndoesEveryFormatInPiecesOfAnySize) {
  const std::string text = long_text();
  inflater i;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{1} << 20}) {
    EXPECT_EQ(inflated(i, inflater::format::gzip, gzip(text), piece), text);
    EXPECT_EQ(inflated(i, inflater::format::deflate, deflated(text, 15), piece), text);
    EXPECT_EQ(inflated(i, inflater::format::deflate, deflated(text, -15), piece), text);
  }
}

TEST(Inflater, JoinsTheMembersOfAGzipBody) {
  inflater i;
  EXPECT_EQ(inflated(i, inflater::format::gzip, gzip("one ") + gzip("two"), 5), "one two");
}

TEST(Inflater, TakesAnEmptyBodyForWhole) {
  inflater i;
  EXPECT_EQ(inflated(i, inflater::format::gzip, "", 1), "");
  EXPECT_EQ(inflated(i, inflater::format::gzip, gzip(""), 1), "");
}

TEST(Inflater, RefusesWhatIsCutCorruptOrFollowedByMore) {
  const std::string whole = gzip(long_text());
  std::string wrong_sum = whole;
  wrong_sum[wrong_sum.size() - 8] = static_cast<char>(wrong_sum[wrong_sum.size() - 8] ^ 1);
  inflater i;
  for (std::size_t cut = 1; cut < whole.size(); cut += whole.size() / 50)
    EXPECT_THROW(inflated(i, inflater::format::gzip, whole.substr(0, cut), 4096), inflate_error) << cut;
  EXPECT_THROW(inflated(i, inflater::format::gzip, wrong_sum, 4096), inflate_error);
  EXPECT_THROW(inflated(i, inflater::format::gzip, whole + "surplus", 1 << 20), inflate_error);
  EXPECT_THROW(inflated(i, inflater::format::deflate, deflated("x", 15) + "surplus", 1 << 20), inflate_error);
  EXPECT_THROW(inflated(i, inflater::format::gzip, "<html>not compressed</html>", 4096), inflate_error);
  EXPECT_EQ(inflated(i, inflater::format::gzip, whole, 4096), long_text()) << "is fit for use after errors";
}

TEST(Inflater, StopsABombAtTheReceiversWord) {
  const std::string bomb = gzip_of_filler(100'000'000);
  inflater i;
  i.reset(inflater::format::gzip);
  std::size_t received = 0;
  const auto stop_at_a_million = [&](std::span<const char> piece) {
    received += piece.size();
    if (received > 1'000'000) throw std::length_error("enough");
  };
  EXPECT_THROW(i.write(bomb, stop_at_a_million), std::length_error);
  EXPECT_LE(received, 1'000'000U + 16 * 1024);
}

}  // namespace
}  // namespace dspu::app
