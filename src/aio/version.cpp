#include "dspu/core/version.hpp"
