//! The same product by cuBLASLt, NVIDIA's own library, where the host has it.

use cudarc::{
    cublaslt::{
        result::{self, CublasError},
        sys::{self, cublasComputeType_t::CUBLAS_COMPUTE_32I, cudaDataType},
    },
    driver::{CudaSlice, CudaStream, CudaView, DevicePtr, DevicePtrMut},
};
use std::{ffi::c_void, ptr::from_ref};

/// `CUBLAS_OP_T` of cuBLAS's own header, which cuBLASLt's refers to.
const OP_T: i32 = 1;

/// A handle to the library. Not shared between threads: `Cuda` holds it under its lock.
pub(super) struct Library(sys::cublasLtHandle_t);

// SAFETY: the handle may be used from any thread, from one at a time.
unsafe impl Send for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: made by `open` and destroyed once. There is nobody to tell of a failure.
        let _ = unsafe { result::destroy_handle(self.0) };
    }
}

impl Library {
    /// `None` where it is not installed or does not start.
    pub fn open() -> Option<Self> {
        // SAFETY: looks for the file and its initialisers, nothing else. Calling into an absent library would panic.
        let is_present = unsafe { sys::is_culib_present() };
        is_present.then(result::create_handle)?.ok().map(Self)
    }

    /// `c = a·b` as [`super::device::Kernels::multiply`].
    ///
    /// The library thinks in columns: what it is asked for is `Cᵀ = Bᵀ·Aᵀ`, where our B by columns and A by rows are what
    /// it calls a transposed and a plain matrix of n rows, the only layout in which it has int8 (its "TN").
    pub fn multiply(
        &self,
        stream: &CudaStream,
        a: &CudaView<u8>,
        b: &CudaView<u8>,
        c: &mut CudaSlice<i32>,
        n: u32,
    ) -> Result<(), CublasError> {
        let (n, rows) = (u64::from(n), (a.len() / n as usize) as u64);
        let product = Product::new()?;
        let left = Layout::new(cudaDataType::CUDA_R_8I, n, n)?;
        let right = Layout::new(cudaDataType::CUDA_R_8I, n, rows)?;
        let out = Layout::new(cudaDataType::CUDA_R_32I, n, rows)?;
        let preference = Preference::new()?;
        let (one, zero) = (1i32, 0i32);
        let ((a, _read_a), (b, _read_b), (c, _write_c)) =
            (a.device_ptr(stream), b.device_ptr(stream), c.device_ptr_mut(stream));
        // SAFETY: all descriptors live to the end of this function, the operands as long as the stream works on them; the
        // sizes are those of the layouts. No workspace is offered, so none is used.
        unsafe {
            let found =
                result::get_matmul_algo_heuristic(self.0, product.0, left.0, right.0, out.0, out.0, preference.0)?;
            result::matmul(
                self.0,
                product.0,
                from_ref(&one).cast(),
                from_ref(&zero).cast(),
                b as *const c_void,
                left.0,
                a as *const c_void,
                right.0,
                c as *const c_void,
                out.0,
                c as *mut c_void,
                out.0,
                &found.algo,
                std::ptr::null_mut(),
                0,
                stream.cu_stream().cast(),
            )
        }
    }
}

/// A descriptor that is destroyed when dropped. There is nobody to tell when that fails.
macro_rules! descriptor {
    ($name:ident, $handle:ty, $destroy:path) => {
        struct $name($handle);

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: made by `new` and destroyed once.
                let _ = unsafe { $destroy(self.0) };
            }
        }
    };
}

descriptor!(Product, sys::cublasLtMatmulDesc_t, result::destroy_matmul_desc);
descriptor!(Layout, sys::cublasLtMatrixLayout_t, result::destroy_matrix_layout);
descriptor!(Preference, sys::cublasLtMatmulPreference_t, result::destroy_matmul_pref);

impl Product {
    fn new() -> Result<Self, CublasError> {
        let product = Self(result::create_matmul_desc(CUBLAS_COMPUTE_32I, cudaDataType::CUDA_R_32I)?);
        // SAFETY: the attribute is a C enum.
        unsafe {
            result::set_matmul_desc_attribute(
                product.0,
                sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
                from_ref(&OP_T).cast(),
                size_of_val(&OP_T),
            )?;
        }
        Ok(product)
    }
}

impl Layout {
    /// Of `columns` columns of `rows` elements each, one after the other.
    fn new(element: cudaDataType, rows: u64, columns: u64) -> Result<Self, CublasError> {
        Ok(Self(result::create_matrix_layout(element, rows, columns, rows as i64)?))
    }
}

impl Preference {
    fn new() -> Result<Self, CublasError> {
        Ok(Self(result::create_matmul_pref()?))
    }
}
