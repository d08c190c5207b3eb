// Standard input, output and error as they are handed to the process, which may be not at all.
#pragma once

namespace dspu::app {

// Takes the descriptors 0, 1 and 2 where they are closed, by what can be neither read nor written. Otherwise
// the next file that is opened gets one of these numbers, and a message for standard error ends up in the
// results.
void take_closed_standard_streams();

}  // namespace dspu::app
