// The file of results as the journal of what is finished: --resume rests on it and on nothing else.
//
// A result is one line, written at the end of the file in one piece with those that ended in the same turn of the
// event loop, and a request is finished exactly when its line is there, line feed included. A second file of finished
// ids could only ever disagree with this one. So whatever moment a run is killed at, the next one cuts off a torn last
// line, reads the ids of the whole ones, and does the rest: no request is lost, and none has two lines. Requests that
// were stopped on the way (cancelled) leave no line.
#pragma once

#include "dspu/digest.hpp"
#include "dspu/line_writer.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dspu::app {

// What a result line says of its request.
struct result_facts {
  digest id;
  bool ok = false;
  bool invalid_input = false;  // it was no request
};

// Throws: std::invalid_argument if the line is no result.
result_facts read_result(std::string_view line);

// An id may have several lines, if what failed was done again: a good one counts more than any that failed.
class finished_requests {
 public:
  // Counts a result line. Throws: std::invalid_argument if it is none.
  void add(std::string_view line);

  bool contains(std::string_view id) const;
  // Whether none of its lines is good. Requires: contains(id).
  bool failed(std::string_view id) const;
  // Whether it failed because it was no request, but a wrong line of input.
  bool was_invalid(std::string_view id) const;

  std::uint64_t size() const { return ids_.size(); }
  std::uint64_t failures() const { return failures_; }

 private:
  digest_set ids_;      // the flag: it failed
  digest_set invalid_;  // of these, those that were no requests
  std::uint64_t failures_ = 0;
};

// Calls `use(line, number)` for each whole line of a file of results; damaged ones (below) are left out.
// Throws: io_error, usage_error; what `use` throws.
void for_each_result(const std::string& path,
                     const std::function<void(std::string_view line, std::uint64_t number)>& use);

struct resumed_results {
  line_writer writer;
  finished_requests finished;
  std::uint64_t torn_bytes = 0;     // cut off the end
  std::uint64_t damaged_lines = 0;  // taken out: they had NUL bytes
};

// Opens the file (made if absent), locks it against a second run, cuts off a torn last line and reads the
// rest. Lines with NUL bytes are taken out: a power cut leaves such, and their requests count as not done.
// Throws: usage_error if it is not a file of results, or another run has it; io_error.
resumed_results resume_results(const std::string& path);

// Opens and locks the file likewise. What it holds stays until the writer empties it: a run that cannot begin
// after all must not cost the results of an earlier one.
line_writer open_results(const std::string& path);

}  // namespace dspu::app
