#include "dspu/run_files.hpp"

#include "dspu/failure.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dspu::app {

namespace {

// As the kernel allows on the way to a file.
constexpr int most_links = 40;

struct identity {
  file_identity file;     // of the directory, if the file does not exist
  std::string missing{};  // its name then
  mode_t type = S_IFREG;

  bool same_file(const identity& other) const { return file == other.file && missing == other.missing; }
};

identity identity_with_type(const struct stat& facts) {
  return {.file = identity_of(facts), .type = facts.st_mode & S_IFMT};
}

std::optional<identity> identify(int descriptor) {
  struct stat facts{};
  if (::fstat(descriptor, &facts) != 0) return std::nullopt;
  return identity_with_type(facts);
}

// Nothing where no file can be: opening it will say why.
std::optional<identity> identify(std::filesystem::path path) {
  struct stat facts{};
  for (int links = 0; links < most_links; ++links) {
    if (::stat(path.c_str(), &facts) == 0) return identity_with_type(facts);
    if (errno != ENOENT) return std::nullopt;
    if (::lstat(path.c_str(), &facts) != 0) {
      const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
      if (!path.has_filename() || ::stat(parent.c_str(), &facts) != 0) return std::nullopt;
      return identity{.file = identity_of(facts), .missing = path.filename()};
    }
    // A link to what does not exist: writing makes that file.
    std::error_code error;
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) return std::nullopt;
    path = path.parent_path() / target;
  }
  return std::nullopt;
}

struct named_file {
  std::string name;  // for messages
  identity what;
};

class file_list {
 public:
  void add(const char* option, const std::string& path) {
    if (!path.empty()) add(std::string(option) + " '" + path + "'", identify(std::filesystem::path(path)));
  }
  void add_standard(const char* name, int descriptor) { add(name, identify(descriptor)); }

  const std::vector<named_file>& all() const { return files_; }

 private:
  void add(std::string name, std::optional<identity> what) {
    if (what) files_.push_back({std::move(name), *std::move(what)});
  }

  std::vector<named_file> files_;
};

file_list files_read(const fetch_options& options) {
  file_list files;
  for (const std::string& name : options.inputs) {
    if (name == "-") {
      files.add_standard("standard input", STDIN_FILENO);
    } else {
      files.add("--input", name);
    }
  }
  if (options.data && options.data->file == "-") {
    files.add_standard("standard input", STDIN_FILENO);
  } else if (options.data) {
    files.add("--data", options.data->file);
  }
  for (const std::string& header : options.headers) {
    if (header.starts_with('@')) files.add("--header", header.substr(1));
  }
  files.add("--config", options.config);
  files.add("--cacert", options.cacert);
  return files;
}

file_list files_named_for_writing(const fetch_options& options) {
  file_list files;
  if (options.output != "-") files.add("--output", options.output);
  files.add("--failed-to", options.failed_to);
  files.add("--summary-json", options.summary_json);
  files.add("--record", options.record);
  return files;
}

// Standard output and standard error may be one file: whoever started the program wanted it so.
file_list streams_written(const fetch_options& options) {
  file_list files;
  if (options.output == "-") files.add_standard("standard output", STDOUT_FILENO);
  files.add_standard("standard error", STDERR_FILENO);
  return files;
}

// What was written would be read as input, or was there to be read and is lost.
bool collides_with_read(mode_t type) { return S_ISREG(type) || S_ISFIFO(type) || S_ISBLK(type); }

// In a pipe two may take turns; a file is emptied, and its lines are written over each other.
bool collides_with_written(mode_t type) { return S_ISREG(type); }

[[noreturn]] void refuse(const named_file& a, const named_file& b) {
  throw usage_error(a.name + " is the same file as " + b.name);
}

void check_against(const named_file& written, const std::vector<named_file>& others,
                   bool (*collides)(mode_t)) {
  for (const named_file& other : others) {
    if (collides(written.what.type) && written.what.same_file(other.what)) refuse(written, other);
  }
}

}  // namespace

std::vector<file_identity> files_of_run(const fetch_options& options) {
  std::vector<file_identity> files;
  for (const file_list& list :
       {files_read(options), files_named_for_writing(options), streams_written(options)}) {
    for (const named_file& each : list.all()) {
      if (each.what.missing.empty()) files.push_back(each.what.file);
    }
  }
  return files;
}

void check_files_differ(const fetch_options& options) {
  const file_list read = files_read(options);
  const file_list named = files_named_for_writing(options);
  const file_list streams = streams_written(options);
  std::vector<named_file> others = streams.all();
  for (const named_file& written : named.all()) {
    check_against(written, read.all(), collides_with_read);
    check_against(written, others, collides_with_written);
    others.push_back(written);
  }
  for (const named_file& stream : streams.all()) check_against(stream, read.all(), collides_with_read);
}

}  // namespace dspu::app
