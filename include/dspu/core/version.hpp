// The version of the library that these headers belong to.
#pragma once

#define DSPU_VERSION_MAJOR 0
#define DSPU_VERSION_MINOR 1
#define DSPU_VERSION_PATCH 0
