// What makes a file the same file, whatever its name.
#pragma once

#include <sys/stat.h>

namespace dspu::app {

struct file_identity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator==(const file_identity&) const = default;
};

inline file_identity identity_of(const struct stat& facts) { return {facts.st_dev, facts.st_ino}; }

}  // namespace dspu::app
