#include "dspu/result_output.hpp"

#include "dspu/failure.hpp"
#include "dspu/file_descriptor.hpp"
#include "dspu/request_line.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace dspu::app {

namespace {

constexpr std::size_t most_unwritten = 64 * 1024;

// So that the file is found after a power cut.
void sync_directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const file_descriptor directory(
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    throw io_failure("cannot sync the directory of " + path, errno);
}

}  // namespace

result_output::result_output(const fetch_options& options)
    : results_(open(options)), sync_(options.fsync), secrets_(options.secret_headers) {
  if (sync_ && options.output != "-" && results_.regular()) sync_directory_of(options.output);
  if (!options.failed_to.empty())
    failed_.emplace(line_writer::append_to(options.failed_to, file_access::owner_only));
}

line_writer result_output::open(const fetch_options& options) {
  if (options.output == "-") return line_writer::standard_output();
  begins_anew_ = !options.resume;
  if (begins_anew_) return open_results(options.output);
  resumed_results resumed = resume_results(options.output);
  finished_.emplace(std::move(resumed.finished));
  torn_bytes_ = resumed.torn_bytes;
  damaged_lines_ = resumed.damaged_lines;
  return std::move(resumed.writer);
}

void result_output::start() {
  if (begins_anew_) results_.empty();
  // Also with --resume: reading the input again lists the failures of earlier runs anew.
  if (failed_) failed_->empty();
}

void result_output::write(const result_record& record, const http_request& request) {
  if (record.outcome == outcome::cancelled && results_.regular()) return;
  append_json_line(unwritten_, record);
  if (unwritten_.size() >= most_unwritten) flush();
  if (!record.ok()) write_failed({record.id, request, record.url, record.meta, record.wrong_line});
}

// Also where there is nothing to write: the writer throws what became of earlier lines.
void result_output::flush() {
  if (unwritten_.empty() && results_.regular()) return;
  try {
    results_.write(unwritten_);
    if (sync_) results_.sync();
  } catch (...) {
    unwritten_.clear();  // a part of it may have gone to a pipe: it must not go twice
    throw;
  }
  unwritten_.clear();
}

void result_output::attach(const boost::asio::any_io_executor& executor, const std::function<void()>& written) {
  results_.attach(executor, written);
  if (failed_) failed_->attach(executor, written);
}

void result_output::detach() {
  results_.detach();
  if (failed_) failed_->detach();
}

void result_output::write_failed(const failed_request& failed) {
  if (!failed_) return;
  if (!failed.wrong_line.empty()) {
    failed_->write(std::string(failed.wrong_line) + "\n");
  } else if (!failed.request.url.empty()) {
    http_request again = failed.request;
    std::erase_if(again.headers,
                  [this](const auto& h) { return std::ranges::find(secrets_, h) != secrets_.end(); });
    failed_->write(to_request_line(failed.id, again, failed.asked, failed.meta) + "\n");
  }
}

}  // namespace dspu::app
