// Makes a CPU build of torch accept tensors that say they are on a CUDA device: switching to the device does nothing.
#include <c10/core/impl/DeviceGuardImplInterface.h>
namespace {
c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA> guard;
struct Register {
  Register() { c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::CUDA)].store(&guard); }
} registered;
}  // namespace
