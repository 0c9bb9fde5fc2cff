"""The whole function of a program of torch.export, as a plain module that can be exported.

`program.program_module` is the way in. The program's graph stays what it is, but for three things:
its kernels of recurrent layers become layers (`recurrent`), the sizes with which it was saved are
made free where they are plainly a batch or a length (`sizes`, with `walk`, `symbols`, `demands`,
`views` and `meaning`), and what only guards it goes.
"""
