// A file that gets its name once it is whole, and takes no other file's place unless it may.
#pragma once

#include "dspu/file_descriptor.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dspu::app {

struct saved_file_options {
  // A file that exists under the name is replaced; otherwise commit() fails.
  bool replace = false;
  // The bytes, and the name, are on the disk when commit() returns.
  bool sync = false;
};

// Until commit() the file is called NAME.part, and is removed if there is none, unless keep() says what it is
// the beginning of: that stands in NAME.part.from, and the next run can go on. Neither name is followed if it
// is a link, and but for go_on() no file that exists is written to: the part is always a new file, and one
// that an earlier, killed run left is removed. Thread-safety: none.
class saved_file {
 public:
  // `directory` is open as long as this lives; `name` is that of a file in it, `part_suffix` is behind it
  // until it is whole. `shown_directory` is for messages. Throws: io_error.
  saved_file(int directory, std::string name, const std::string& shown_directory, std::string part_suffix,
             saved_file_options options);
  // What an earlier run left, with what keep() said of it, to be written on; null if there is nothing, or
  // nothing that is surely ours alone: a regular file with one name, of this user, that no other run has
  // open.
  static std::unique_ptr<saved_file> go_on(int directory, std::string name,
                                           const std::string& shown_directory, std::string part_suffix,
                                           saved_file_options options);
  saved_file(const saved_file&) = delete;
  saved_file& operator=(const saved_file&) = delete;
  // Removes the part, unless it is kept.
  ~saved_file();

  // Throws: io_error.
  void write(std::span<const char> bytes);
  // Before anything is written: from now on the part outlives this. `note` is what go_on() finds. Throws:
  // io_error.
  void keep(const std::string& note);
  const std::string& note() const { return note_; }
  // It is removed with this after all.
  void forget() { note_.clear(); }
  std::uint64_t size() const { return size_; }
  // Throws: io_error, also if somebody has put another file in the place of the part.
  void commit();

  // With its directory.
  const std::string& path() const { return path_; }

 private:
  struct names {
    int directory;
    std::string name;
    std::string part_suffix;
    std::string shown_directory;
  };
  saved_file(const names& called, saved_file_options options);

  void remove_part() const;
  std::string shown_part() const;
  bool part_is_ours() const;
  bool rename_to(const char* name) const;

  int directory_;
  std::string name_;
  std::string part_;
  std::string path_;
  saved_file_options options_;
  file_descriptor file_;
  std::uint64_t size_ = 0;
  std::string note_;  // not empty: the part is kept
  bool committed_ = false;
};

// Opens a directory below `base`, whose parts are separated by slashes, and makes what is missing of it. None
// of them may be a link. Throws: io_error naming `shown_base` and the part.
file_descriptor make_directories(int base, const std::string& below, const std::string& shown_base);

}  // namespace dspu::app
