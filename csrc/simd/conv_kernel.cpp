namespace ISA {}
